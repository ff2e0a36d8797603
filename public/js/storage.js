// JSON in the browser's two stores. Private windows and full disks refuse to store: then the page still works,
// it only forgets at a reload.

function over(kind) {
  const memory = new Map();
  return {
    read(name) {
      try {
        return JSON.parse(window[kind].getItem(name)) ?? memory.get(name) ?? null;
      } catch {
        return memory.get(name) ?? null;
      }
    },
    write(name, value) {
      memory.set(name, value);
      try {
        window[kind].setItem(name, JSON.stringify(value));
      } catch {
        // Kept in memory above.
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
  };
}

/** Outlives the tab: the draft, the language. */
export const kept = over("localStorage");
/** Ends with the tab: the session's token, the webhook's secret. */
export const passing = over("sessionStorage");
