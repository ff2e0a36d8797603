// What is said to people who do not see the page, and where the focus goes.

import { byId } from "./dom.js";
import { say } from "./strings.js";

/** Has a screen reader say something without moving the focus. */
export function announce(key, args) {
  say(byId("live"), key, args);
}

/** Moves the focus to a heading, which has a screen reader read from there, and brings it into view, or the top of what is `seen` instead. */
export function focusHeading(id, seen) {
  const heading = byId(id);
  heading.focus({ preventScroll: true });
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  // What is higher than the window is never "nearest".
  const isOff = seen && !(seen.getBoundingClientRect().top >= 0 && seen.getBoundingClientRect().top < innerHeight / 2);
  (seen ?? heading).scrollIntoView({ block: isOff ? "start" : "nearest", behavior: calm ? "auto" : "smooth" });
}

/** A button that is at work says so, and gives no second start. It keeps the focus, so it is not disabled. */
export function working(button, key) {
  const { t: before } = button.dataset;
  // The width is held, so that a shorter word does not move what stands beside it.
  button.style.setProperty("min-width", `${button.offsetWidth}px`);
  say(button, key);
  button.setAttribute("aria-disabled", "true");
  announce(key);
  return () => {
    say(button, before);
    button.removeAttribute("aria-disabled");
    button.style.removeProperty("min-width");
    if (byId("live").dataset.t === key) announce();
  };
}
