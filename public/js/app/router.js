// Which screen is shown: the address says it. Every screen has its own entry in the browser's history.

import { useEffect, useReducer } from "../vendor/preact.js";

const ROOT = "/app/";
const moved = new Set();

/** The screen's name in the address: "" for the first, else `activity` and so on. */
export const here = () => location.pathname.slice(ROOT.length).replace(/\/$/, "");

/** Whether the person has come from another screen: the focus goes to the heading then, and not when the page has just been opened. */
export let hasMoved = false;

const tell = () => {
  hasMoved = true;
  for (const redraw of moved) redraw();
};

export function go(name, { replace = false } = {}) {
  if (name !== here()) {
    history[replace ? "replaceState" : "pushState"](null, "", ROOT + name);
    scrollTo(0, 0);
  }
  tell();
}

export function useRoute() {
  const [, redraw] = useReducer((n) => n + 1, 0);
  useEffect(() => {
    moved.add(redraw);
    return () => moved.delete(redraw);
  }, []);
  return here();
}

/** A link to a screen is an ordinary link: a new tab, a copy of its address and so on work as ever. */
document.addEventListener("click", (event) => {
  const link = event.target.closest?.(`a[href^="${ROOT}"]`);
  if (!link || link.target || event.defaultPrevented || event.button !== 0) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(link.pathname.slice(ROOT.length));
});
addEventListener("popstate", tell);
