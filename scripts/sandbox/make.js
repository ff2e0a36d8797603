// Make custom webhooks (https://apps.make.com/gateway). The sandbox copies three things. Any call to a hook's address is queued, and
// answered 200 "Accepted" before any scenario runs. Make checks no signature and recognises no idempotency key itself, so that every
// accepted call counts. A hook without a scenario answers 410 (here: a token that starts with "gone"). The signature is what a scenario
// would check, by Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256 over "id.timestamp.body", several space-separated
// signatures allowed, five minutes of clock difference.

import { text } from "./replies.js";
import { messageVerifies } from "./signatures.js";

const WORDS = {
  400: "Queue is full.",
  404: "Not Found",
  410: "There is no scenario listening for this webhook.",
  429: "Too many requests",
};

const failure = (status) => text(status, WORDS[status] ?? "Scenario failed to complete.");

export const make = {
  name: "make",
  plays: (host) => /^hook\.(([a-z0-9-]+\.)?make\.com|[a-z0-9-]+\.make\.celonis\.com|integromat\.com)$/.test(host),
  identify: (call) => ({
    operation: call.headers["webhook-id"]?.startsWith("evt_") ? "event" : "ping",
    key: call.headers["webhook-id"] ?? call.headers["idempotency-key"] ?? null,
    effect: true,
  }),
  verify: async (call, { sql, now }) => {
    const present = call.headers["webhook-signature"] !== undefined;
    const secret = secretOf(sql, call);
    return { present, valid: secret === null ? null : await messageVerifies(call, secret, now) };
  },
  answer: (call, { done }) => {
    if (!/^\/[\w-]+\/?$/.test(call.path)) return failure(404);
    if (call.path.startsWith("/gone")) return failure(410);
    done();
    return text(200, "Accepted");
  },
  failure,
};

// A hook is known by host and path; the query is payload to Make.
const hookAddress = (url) => {
  const { hostname, pathname } = new URL(url);
  return hostname + pathname;
};

export function registerWebhook(sql, url, secret) {
  sql.exec(
    "insert into webhooks (url, secret) values (?, ?) on conflict (url) do update set secret = excluded.secret",
    hookAddress(url),
    secret,
  );
}

function secretOf(sql, call) {
  const rows = sql.exec("select secret from webhooks where url = ?", hookAddress(call.url)).toArray();
  return rows[0]?.secret ?? null;
}
