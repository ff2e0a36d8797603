// Turnstile's siteverify (https://developers.cloudflare.com/turnstile/get-started/server-side-validation). What is
// copied: form or JSON input; a refusal is a 200 with success false and error codes; a token is good once, and a
// second use is "timeout-or-duplicate" unless it repeats the first one's `idempotency_key`. Good tokens here are
// those that start "ok-".

import { isObject, isText, json, parseJson, text } from "./replies.js";

const PATH = "/turnstile/v0/siteverify";

const refuse = (...codes) => json(200, { success: false, "error-codes": codes, messages: [] });

export const turnstile = {
  name: "turnstile",
  plays: (host) => host === "challenges.cloudflare.com",
  identify: (call) => ({ operation: "siteverify", key: read(call).response ?? null, effect: true }),
  verify: async (call, { env }) => {
    const { secret } = read(call);
    if (!isText(secret)) return { present: false, valid: false };
    return { present: true, valid: env.TURNSTILE_SECRET ? secret === env.TURNSTILE_SECRET : null };
  },
  answer: (call, tools) => {
    if (call.path !== PATH) return text(404, "Not Found");
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
  if (spent) return spent.key !== null && spent.key === again ? accept(spent.at) : refuse("timeout-or-duplicate");
  sql.exec("insert into turnstile_tokens (token, key, at) values (?, ?, ?)", input.response, again, now);
  done();
  return accept(now);
}

const accept = (at) =>
  json(200, {
    success: true,
    challenge_ts: new Date(at).toISOString(),
    hostname: "localhost",
    "error-codes": [],
    action: "",
    cdata: "",
    metadata: { interactive: false },
  });
