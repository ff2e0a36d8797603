// JSON in the browser's two stores. Private windows and full disks refuse to store. Other versions of this page, or people, store values
// that we don't expect. The page still works then, and only forgets at a reload.

function over(kind) {
  /** The values that the store did not take. */
  const memory = new Map();
  return {
    read(name) {
      if (memory.has(name)) return memory.get(name);
      try {
        return JSON.parse(window[kind].getItem(name));
      } catch {
        return null;
      }
    },
    write(name, value) {
      try {
        window[kind].setItem(name, JSON.stringify(value));
        memory.delete(name);
      } catch {
        memory.set(name, value);
      }
    },
    remove(name) {
      memory.delete(name);
      try {
        window[kind].removeItem(name);
      } catch {
        // Nothing was stored.
      }
    },
    names() {
      try {
        return [...new Set([...Object.keys(window[kind]), ...memory.keys()])];
      } catch {
        return [...memory.keys()];
      }
    },
    /** Whether something that was written would be gone after a reload. */
    forgets: () => memory.size > 0,
  };
}

/** Outlives the tab: the drafts, the language. */
export const kept = over("localStorage");
/** Ends with the tab: which draft is this tab's, the session's token. */
export const passing = over("sessionStorage");

export const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** `value` with each member of `pattern` that it lacks, or has as something else. */
export function shaped(value, pattern) {
  const given = isObject(value) ? value : {};
  const fits = ([name, like]) =>
    like === null || (typeof given[name] === typeof like && given[name] !== null && Array.isArray(given[name]) === Array.isArray(like));
  const kept = Object.entries(pattern).filter((entry) => Object.hasOwn(given, entry[0]) && fits(entry));
  return { ...given, ...pattern, ...Object.fromEntries(kept.map(([name]) => [name, given[name]])) };
}
