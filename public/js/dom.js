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

/** Calls `work` when nothing has happened for a while. Answers a function to call at every change. */
export function debounced(ms, work) {
  let timer;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...args), ms);
  };
}
