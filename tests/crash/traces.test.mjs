// wrangler dev can keep a trace of every request and call: with the query strings and the paths of webhooks. Ours keeps none.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startService } from "../../scripts/lib/service.mjs";
import { client, makeWebhook, until } from "../client.mjs";

const SECRET = "said-in-a-query";

for (const [kept, env] of [[true, { X_LOCAL_OBSERVABILITY: "true" }], [false, undefined]]) {
  test(kept ? "the scan finds what such a store would keep" : "no query string and no path of a webhook is in the local trace store", async (t) => {
    const service = await startService({ env });
    t.after(() => service.stop());
    const sandboxFetch = (path, init) => fetch(new URL(path, service.sandboxUrl), init);
    const h = client({ url: service.url, secret: service.secrets.JWT_SECRET, sandboxFetch });
    await h.api("GET", `/public/signup/availability?slug=${SECRET}`);
    const [tenant, webhook] = [await h.signup(), makeWebhook()];
    await h.confirm(tenant, webhook);
    assert.equal((await h.settled(tenant)).status, "completed");
    const needles = [SECRET, new URL(webhook.webhookUrl).pathname.slice(1)];
    const found = () => {
      const store = stored(service.stateDir);
      return needles.filter((needle) => store.includes(needle));
    };
    if (kept) await until(() => found().length === needles.length, { what: "both to be in the store" });
    else assert.deepEqual([found(), stored(service.stateDir).length], [[], 0]);
  });
}

/** All that lies in the trace stores under this folder. */
function stored(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && join(entry.parentPath, entry.name).includes("/v3/observability/"))
    .map((entry) => join(entry.parentPath, entry.name));
  return Buffer.concat(files.map((file) => readFileSync(file)));
}
