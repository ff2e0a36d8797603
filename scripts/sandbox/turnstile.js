// Turnstile: siteverify (https://developers.cloudflare.com/turnstile/get-started/server-side-validation) and a widget for pages.
//
// siteverify takes form or JSON input, and a refusal is a 200 with success false and error codes. A token is valid once. A second use is
// "timeout-or-duplicate" unless it repeats the first one's `idempotency_key`. Good tokens here are those that start with "ok-". A token may
// say for which page and for what it was given, and how many seconds ago: ok-<any>~<hostname>~<action>~<age>.
//
// The widget stands where the real one does, at /turnstile/v0/api.js: for a browser whose calls to that host are led here. It shows a frame
// of that host, as the real one does. It knows Cloudflare's test keys: one always passes, one always fails, and one wants its box ticked.

import { isObject, isText, json, parseJson, text } from "./replies.js";
import { FRAME, SCRIPT } from "./turnstile-widget.js";

const SITEVERIFY = "/turnstile/v0/siteverify";
const FILES = {
  "/turnstile/v0/api.js": { type: "text/javascript", body: SCRIPT },
  "/turnstile/v0/frame": { type: "text/html", body: FRAME },
};

const refuse = (...codes) => json(200, { success: false, "error-codes": codes, messages: [] });

export const turnstile = {
  name: "turnstile",
  plays: (host) => host === "challenges.cloudflare.com",
  identify: (call) =>
    call.path in FILES
      ? { operation: "widget", key: null, effect: false }
      : { operation: "siteverify", key: read(call).response ?? null, effect: true },
  verify: async (call, { env }) => {
    const { secret } = read(call);
    if (!isText(secret)) return { present: false, valid: false };
    return { present: true, valid: env.TURNSTILE_SECRET ? secret === env.TURNSTILE_SECRET : null };
  },
  answer: (call, tools) => {
    const file = FILES[call.path];
    if (file) return { status: 200, headers: { "content-type": `${file.type}; charset=utf-8` }, body: file.body };
    if (call.path !== SITEVERIFY) return text(404, "Not Found");
    if (call.method !== "POST") return text(405, "Method Not Allowed", { allow: "POST" });
    return redeem(read(call), tools);
  },
  failure: (status) => json(status, { success: false, "error-codes": ["internal-error"], messages: [] }),
};

function read(call) {
  const isJson = (call.headers["content-type"] ?? "").includes("json");
  const input = isJson ? parseJson(call.body) : Object.fromEntries(new URLSearchParams(call.body));
  if (!isObject(input)) return {};
  const texts = Object.entries(input).filter(([, value]) => typeof value === "string");
  return Object.fromEntries(texts);
}

function redeem(input, { sql, signature, now, done }) {
  if (!signature.present) return refuse("missing-input-secret");
  if (signature.valid === false) return refuse("invalid-input-secret");
  if (!isText(input.response)) return refuse("missing-input-response");
  if (!input.response.startsWith("ok-")) return refuse("invalid-input-response");
  const again = isText(input.idempotency_key) ? input.idempotency_key : null;
  const [spent] = sql.exec("select key, at from turnstile_tokens where token = ?", input.response).toArray();
  if (spent && (spent.key === null || spent.key !== again)) return refuse("timeout-or-duplicate");
  if (!spent) {
    sql.exec("insert into turnstile_tokens (token, key, at) values (?, ?, ?)", input.response, again, now);
    done();
  }
  return accept(input.response, spent?.at ?? now);
}

function accept(token, at) {
  const [, hostname = "localhost", action = "signup", age = "0"] = token.split("~");
  return json(200, {
    success: true,
    challenge_ts: new Date(at - Number(age) * 1000).toISOString(),
    hostname,
    "error-codes": [],
    action,
    cdata: "",
    metadata: { interactive: false },
  });
}
