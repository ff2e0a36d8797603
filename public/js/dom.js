// The few things we ask of the document.

export const byId = (id) => document.getElementById(id);

/** Makes an element; children that are strings become text, never markup. */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Runs `work` on submit or click, once at a time: a second press while it runs does nothing. */
export function once(node, event, work) {
  let running = false;
  node.addEventListener(event, async (happening) => {
    happening.preventDefault();
    if (running) return;
    running = true;
    try {
      await work(happening);
    } finally {
      running = false;
    }
  });
}

/**
 * Password managers and browsers fill fields in without an `input` event, and some without any. Whenever that may have happened,
 * the fields that `changed()` names get one.
 */
export function noticeFills(changed) {
  const look = () => {
    for (const field of changed()) field.dispatchEvent(new Event("input", { bubbles: true }));
  };
  for (const event of ["change", "focusout", "click", "submit", "animationstart"]) document.addEventListener(event, look, true);
  for (const event of ["pagehide", "visibilitychange"]) addEventListener(event, look, true);
  setInterval(look, 1000);
}

/** Leaves for a page that starts afresh: the browser shall not fill its form with what stood in this one. */
export function leave() {
  for (const form of document.forms) form.reset();
  location.assign("/");
}

/** Calls `work` when nothing has happened for a while. Answers a function to call at every change. */
export function debounced(ms, work) {
  let timer;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...args), ms);
  };
}
