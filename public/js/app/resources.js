// What the screens show, as the service said it last. A screen that comes back shows what is known at once, and asks again.

import { useEffect, useReducer } from "../vendor/preact.js";
import { ask } from "./client.js";

/** Younger than this nothing is asked again by itself. */
const FRESH_MS = 5000;

/** By their path: `{view, at, asking, readers}`. */
const resources = new Map();

const LOADING = { state: "loading" };

function resourceOf(path) {
  if (!resources.has(path)) resources.set(path, { path, view: LOADING, at: 0, asking: null, readers: new Set() });
  return resources.get(path);
}

function show(resource, view) {
  resource.view = view;
  for (const redraw of resource.readers) redraw();
}

async function load(resource) {
  const answer = await ask("GET", resource.path);
  resource.asking = null;
  if (answer.kind === "gone") return;
  resource.at = Date.now();
  const { view } = resource;
  if (answer.kind === "ok") show(resource, { state: "ready", body: answer.body });
  // What was shown stays: the banner says that we are offline, and the next look asks again.
  else if (view.state === "ready" && answer.kind !== "refused") show(resource, { ...view, isStale: true });
  else show(resource, { state: "failed", answer });
}

/** Asks again for `path`, or waits for the answer that is on its way. */
export function refresh(path) {
  const resource = resourceOf(path);
  resource.asking ??= load(resource);
  return resource.asking;
}

/** Puts an answer in the place of what is known, after a change that answered it. */
export function learn(path, body) {
  show(resourceOf(path), { state: "ready", body });
}

/** The view of a path: `{state: "loading" | "ready" | "failed", body?, answer?}`. No path: nothing is asked. */
export function useResource(path) {
  const [, redraw] = useReducer((n) => n + 1, 0);
  useEffect(() => {
    if (!path) return;
    const resource = resourceOf(path);
    resource.readers.add(redraw);
    if (Date.now() - resource.at > FRESH_MS) refresh(path);
    return () => resource.readers.delete(redraw);
  }, [path]);
  return path ? resourceOf(path).view : LOADING;
}

/** Who looks again, or is online again, sees what is true now. */
function lookAgain() {
  if (document.hidden) return;
  for (const resource of resources.values()) {
    const { readers, at, view } = resource;
    if (readers.size > 0 && (view.state === "failed" || view.isStale || Date.now() - at > FRESH_MS)) refresh(resource.path);
  }
}
document.addEventListener("visibilitychange", lookAgain);
addEventListener("online", lookAgain);
