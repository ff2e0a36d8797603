// The platform's own receiver, behind PLATFORM_WEBHOOK_URL: it checks each message by Standard Webhooks (https://www.standardwebhooks.com)
// against the secret in .dev.vars, and takes what is signed. A repeat is recognised by its webhook-id, as a real receiver must.

import { json } from "./replies.js";
import { messageVerifies } from "./signatures.js";

const failure = (status) => json(status, { error: "SCRIPTED", message: `Scripted answer ${status}.` });

export const platform = {
  name: "platform",
  plays: (host) => host === "platform.example.com",
  identify: (call) => ({ operation: "event", key: call.headers["webhook-id"] ?? null, effect: true }),
  verify: async (call, { env, now }) => {
    const present = call.headers["webhook-signature"] !== undefined;
    const secrets = [env.PLATFORM_WEBHOOK_SECRET, env.PLATFORM_WEBHOOK_SECRET_PREVIOUS].filter(Boolean);
    if (secrets.length === 0) return { present, valid: null };
    const verdicts = await Promise.all(secrets.map((secret) => messageVerifies(call, secret, now)));
    return { present, valid: verdicts.includes(true) };
  },
  answer: (call, { sql, key, signature, done }) => {
    if (call.method !== "POST") return failure(405);
    if (signature.valid === false) return failure(401);
    if (!isKnown(sql, key)) done();
    return json(200, { received: call.headers["webhook-id"] });
  },
  failure,
};

function isKnown(sql, key) {
  const [row] = sql.exec("select count from effects where upstream = 'platform' and operation = 'event' and key = ?", key ?? "").toArray();
  return row?.count > 0;
}
