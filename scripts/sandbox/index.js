// The upstream sandbox: a Worker behind the product's EGRESS binding. It plays every service that the product calls (see upstreams.js), as
// the real ones behave. The control API (control.js) scripts faults, and a page (page.js) shows what was received. It is for development
// and tests, and stores what it is sent unencrypted.

import { control } from "./control.js";
import { SILENCE_MS, withoutFault } from "./faults.js";
import { servePage } from "./page.js";
import { json, toResponse } from "./replies.js";
import { isPlayed } from "./upstreams.js";

export { Store } from "./store.js";

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const store = env.STORE.getByName("sandbox");
    if (!isPlayed(url.hostname)) {
      if (url.pathname.startsWith("/__sandbox/")) return control(request, url, store);
      if (isOwnAddress(url.hostname)) return servePage(url);
    }
    return relay(await readCall(request, url), store);
  },
};

// A local name, a name without a dot, or an address: no upstream is called by one of these.
function isOwnAddress(host) {
  return /(^|\.)localhost$/.test(host) || !host.includes(".") || /^[\d.]+$|^\[.*\]$/.test(host);
}

async function readCall(request, url) {
  return {
    method: request.method,
    url: url.href,
    host: url.hostname,
    path: url.pathname,
    ...withoutFault(Object.fromEntries(request.headers)),
    body: await request.text(),
  };
}

async function relay(call, store) {
  const step = await store.receive(call);
  switch (step.act) {
    case "delay":
      await scheduler.wait(step.ms);
      return respond(await store.proceed(step.id, call));
    case "silence":
      await scheduler.wait(SILENCE_MS);
      return toResponse(json(504, { error: "SILENCE_ENDED", message: "A scripted silence came to its end." }));
    case "throw":
      throw new Error("A scripted exception.");
    default:
      return respond(step);
  }
}

async function respond({ reply, afterMs }) {
  if (afterMs > 0) await scheduler.wait(afterMs);
  return toResponse(reply);
}
