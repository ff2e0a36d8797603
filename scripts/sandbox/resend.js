// Resend's POST /emails, and its list of domains (checks.js) (https://resend.com/docs/api-reference/emails/send-email, …/errors and
// https://resend.com/docs/dashboard/emails/idempotency-keys). The sandbox copies four things. The edge in front refuses a call without
// User-Agent as text, before the API sees it. The errors have the same names. An Idempotency-Key is remembered for 24 hours: the same
// payload gets the first id without sending again, another payload is refused with 409. Where a test asks for it, calls in a second are
// limited (https://resend.com/docs/api-reference/rate-limit), refusals included. A quota that is used up is a scripted fault: 429 with the
// name daily_quota_exceeded or monthly_quota_exceeded.

import { lookOf, resendDomains } from "./checks.js";
import { isObject, isText, json, parseJson, text } from "./replies.js";
import { bearerVerdict } from "./signatures.js";

const KEY_LIFETIME_MS = 24 * 60 * 60 * 1000;
const MAX_RECIPIENTS = 50;
const ADDRESS = /^(?:[^<>]*<[^\s<>@]+@[^\s<>@]+\.[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+\.[^\s<>@]+)$/;
const NAMES = {
  400: "validation_error",
  401: "missing_api_key",
  403: "invalid_api_key",
  404: "not_found",
  405: "method_not_allowed",
  409: "concurrent_idempotent_requests",
  422: "validation_error",
  429: "rate_limit_exceeded",
  500: "application_error",
};

const refuse = (status, name, message, headers) => json(status, { statusCode: status, name, message }, headers);

export const resend = {
  name: "resend",
  plays: (host) => host === "api.resend.com",
  identify: (call) => ({
    operation: lookOf(call) ?? "email",
    key: call.headers["idempotency-key"] ?? null,
    effect: lookOf(call) === undefined,
  }),
  verify: async (call, { env }) => bearerVerdict(call.headers.authorization, env.RESEND_API_KEY),
  answer: (call, tools) => slowDown(tools) ?? refuseCaller(call, tools) ?? resendDomains(call) ?? send(call, tools),
  failure: (status) => refuse(status, NAMES[status] ?? "internal_server_error", "An unexpected error occurred."),
};

// Takes so many calls in any second, or, told null, any number.
export function limitCalls(sql, perSecond) {
  sql.exec("delete from resend_limit");
  if (perSecond !== null) sql.exec("insert into resend_limit (id, per_second) values (1, ?)", perSecond);
}

function slowDown({ sql, now }) {
  const [limit] = sql.exec("select per_second from resend_limit").toArray();
  if (limit === undefined) return undefined;
  const [{ asked }] = sql
    .exec(
      `select count(*) as asked from (select at from requests where upstream = 'resend' order by id desc limit ?)
       where at > ?`,
      limit.per_second,
      now - 1000,
    )
    .toArray();
  if (asked < limit.per_second) return undefined;
  return refuse(429, "rate_limit_exceeded", "Too many requests. Please limit the number of requests per second.", {
    "retry-after": "1",
    "ratelimit-limit": String(limit.per_second),
    "ratelimit-remaining": "0",
    "ratelimit-reset": "1",
  });
}

function refuseCaller(call, { signature, key }) {
  if (!call.headers["user-agent"]) return text(403, "error code: 1010");
  if (!signature.present) return refuse(401, "missing_api_key", "Missing API key in the authorization header.");
  if (signature.valid === false) return refuse(403, "invalid_api_key", "API key is invalid.");
  if (lookOf(call) !== undefined && call.method === "GET") return undefined;
  if (call.path !== "/emails") return refuse(404, "not_found", "The requested endpoint does not exist.");
  if (call.method !== "POST")
    return refuse(405, "method_not_allowed", "This endpoint does not support the specified HTTP method.");
  if (key !== null && (key.length < 1 || key.length > 256)) {
    return refuse(400, "invalid_idempotency_key", "The key must be between 1-256 chars.");
  }
  return undefined;
}

function send(call, tools) {
  const mail = parseJson(call.body);
  if (!isObject(mail)) return refuse(400, "validation_error", "The request body is not valid JSON.");
  return refuseMail(mail) ?? recognise(call, tools) ?? deliver(call, mail, tools);
}

const recipients = (to) => (Array.isArray(to) ? to : [to]);

function refuseMail(mail) {
  const missing = ["from", "to", "subject"].find((field) => !mail[field] || mail[field].length === 0);
  if (missing) return refuse(422, "missing_required_field", `Missing \`${missing}\` field.`);
  if (!isText(mail.html) && !isText(mail.text)) {
    return refuse(422, "missing_required_field", "Missing `html` or `text` field.");
  }
  const to = recipients(mail.to);
  const bad = isAddress(mail.from) ? (to.every(isAddress) && to.length <= MAX_RECIPIENTS ? null : "to") : "from";
  if (bad === null) return undefined;
  return refuse(
    422,
    "validation_error",
    `Invalid \`${bad}\` field. The email address needs to follow the \`email@example.com\` or ` +
      "`Name <email@example.com>` format.",
  );
}

const isAddress = (value) => typeof value === "string" && ADDRESS.test(value.trim());

// The answer to a key that was used within its lifetime: the same mail's id, or a refusal of another payload.
function recognise(call, { sql, key, now }) {
  if (key === null) return undefined;
  const [earlier] = sql
    .exec(
      "select mail_id, payload from mails where key = ? and at > ? order by id desc limit 1",
      key,
      now - KEY_LIFETIME_MS,
    )
    .toArray();
  if (earlier === undefined) return undefined;
  if (earlier.payload === call.body) return json(200, { id: earlier.mail_id });
  return refuse(409, "invalid_idempotent_request", "Same idempotency key used with a different request payload.");
}

function deliver(call, mail, { sql, key, now, done }) {
  const mailId = crypto.randomUUID();
  sql.exec(
    `insert into mails (mail_id, at, key, sender, recipients, subject, html, text, payload)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    mailId,
    now,
    key,
    mail.from,
    JSON.stringify(recipients(mail.to)),
    String(mail.subject),
    isText(mail.html) ? mail.html : null,
    isText(mail.text) ? mail.text : null,
    call.body,
  );
  done();
  return json(200, { id: mailId });
}
