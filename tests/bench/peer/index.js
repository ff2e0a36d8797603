// The peer: what somebody would write by hand in JavaScript for these five requests. The same schema, SQL, limiters, token check,
// headers and log lines as the product's, one batch a request, and nothing else. Behind a signup it mails a code and a link, as the product
// does, but without a breaker, and without asking whether more is due.
import SQL from "./sql.js";

export class Provisioner {}
export class CircuitBreaker {}

const STEPS = {
  starter: ["seed_defaults", "configure_routing", "validate_webhook", "create_owner", "send_welcome_email", "activate"],
};
const HOUR = 3600;
const DAY = 24 * HOUR;
const CONFIRM = "confirm_address";
/** What a mailbox gets in a day. */
const MAILS_PER_MAILBOX = 10;
const SECURITY = {
  "strict-transport-security": "max-age=63072000; includeSubDomains",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-site",
  "x-served-by": "tenantry",
  vary: "Origin",
};
const encoder = new TextEncoder();
const served = new Map();
let countedAt = 0;
let signingKey;
let proofKey;

export default {
  async fetch(request, env, context) {
    const at = Date.now();
    const call = { request, env, context, at, id: uuid("req_", at), url: new URL(request.url) };
    const [name, handler, tenant] = route(request.method, call.url.pathname);
    let answer;
    try {
      answer = await handler(call, tenant);
    } catch (error) {
      answer = refusal(call, error);
    }
    const { status = 200, body, headers } = answer;
    count(env, context, `${name} ${request.method} ${Math.floor(status / 100)}`, at);
    log(call, "request", {
      route: name,
      method: request.method,
      status,
      ms: Date.now() - at,
      version: env.CF_VERSION_METADATA?.id || env.APP_VERSION,
      release: env.APP_VERSION,
      ...(answer.code && { code: answer.code }),
    });
    return new Response(body, {
      status,
      headers: { "content-type": "application/json", "cache-control": "no-store", ...SECURITY, ...headers, "x-request-id": call.id },
    });
  },
};

function route(method, path) {
  if (method === "GET" && path === "/health/live") return [path, live];
  if (method === "GET" && path === "/whoami") return [path, whoami];
  if (method === "POST" && path === "/public/signup/start") return [path, start];
  const [, tenant] = (method === "GET" && /^\/api\/v1\/tenants\/([^/]+)\/provision-status$/.exec(path)) || [];
  if (tenant) return ["/api/v1/tenants/{id}/provision-status", status, tenant];
  return ["unmatched", () => fail(404, "NOT_FOUND")];
}

const live = () => ({ body: '{"ok":true,"status":"ok"}' });

async function whoami(call) {
  const claims = await verified(call);
  await batch(call, authGuard(claims));
  const { sub = null, aud, iss, roles, tenantId = null, jti = null, iat = null, exp } = claims;
  const times = { issuedAt: time(iat), expiresAt: time(exp) };
  return { body: JSON.stringify({ success: true, data: { sub, aud, iss, roles, tenantId, jti, iat, exp, ...times } }) };
}

async function status(call, tenant) {
  const claims = await verified(call);
  if (claims.tenantId !== tenant || !claims.roles.includes("tenant_admin")) fail(403, "TENANT_MISMATCH");
  const [, answer] = await batch(call, authGuard(claims), [SQL.select, tenant]);
  const row = answer.results[0] ?? fail(404, "TENANT_NOT_FOUND");
  const body = JSON.stringify(provision(row));
  const headers = { etag: `"${await digest([body])}"`, "cache-control": "private, no-cache" };
  const known = call.request.headers.get("if-none-match");
  return known === headers.etag ? { status: 304, headers } : { body, headers };
}

/** What a client reads of a run that completed, or is at work. */
function provision(row) {
  const done = new Map(JSON.parse(row.steps).map((step) => [step.step, step]));
  const steps = (STEPS[row.run_plan ?? row.plan] ?? []).map((name) => {
    const step = done.get(name);
    const error = step?.error_code ? { code: step.error_code, message: step.error } : null;
    return {
      name,
      status: step?.status ?? (name === row.step ? "running" : "pending"),
      attempts: step?.attempts ?? 0,
      startedAt: time(step?.started_at),
      completedAt: step?.status === "completed" ? time(step.completed_at) : null,
      retryAt: time(step?.retry_at),
      error,
    };
  });
  const completed = row.provisioned_at !== null && row.status !== "trial" ? "completed" : row.provision_state;
  const finished = steps.filter((step) => step.completedAt).length;
  const isDone = completed === "completed";
  const failed = completed === "failed";
  const current = isDone ? null : row.step;
  const checkpoints = steps.map(({ name, status, attempts, error }) => [name, { status, attempts, error }]);
  return {
    success: true,
    status: completed,
    data: {
      status: completed,
      plan: row.plan,
      progress: isDone ? 100 : Math.floor((finished * 100) / Math.max(steps.length, 1)),
      step: current,
      currentStep: current,
      checkpoints: Object.fromEntries(checkpoints.sort(([a], [b]) => (a < b ? -1 : 1))),
      steps,
      reason: failed ? row.reason : null,
      error: failed ? row.error : null,
      resumeAt: failed ? time(row.resume_at) : null,
      updatedAt: time(Math.max(row.run_updated_at, row.provision_updated_at)),
      startedAt: time(row.started_at),
      completedAt: isDone ? time(row.provisioned_at) : null,
      runId: row.run_id,
      warnings: JSON.parse(row.warnings ?? "[]"),
    },
  };
}

async function start(call) {
  const form = signupForm(await call.request.text());
  const client = call.request.headers.get("cf-connecting-ip") ?? "unknown";
  if (!(await call.env.LIMIT_START.limit({ key: client })).success) fail(429, "RATE_LIMITED");
  log(call, "signup_started", { plan: form.plan });
  const now = Math.floor(call.at / 1000);
  const { name, slug, email, plan, promo } = form;
  const [tenant, owner, lease] = [uuid("tenant_", call.at), uuid("user_", call.at), uuid("", call.at)];
  const fingerprint = await digest([name, slug, email, plan, promo ?? ""]);
  const folded = name.normalize("NFKC").toLowerCase();
  const trialEnds = now + 14 * DAY;
  const mail = uuid("mail_", call.at);
  const answers = await batch(
    call,
    [SQL.insert_tenant, tenant, slug, name, email, plan, trialEnds, promo, owner, fingerprint, now, null, lease, folded, now + 3 * DAY, "en"],
    [SQL.insert_event, tenant],
    [SQL.confirm_address, tenant, `proof/${mail}`, mail, call.url.origin, call.id, null, now],
    ...(promo ? [[SQL.count_promo, promo, tenant], [SQL.insert_redemption, promo, tenant]] : []),
    [SQL.facts, null, slug, email, promo, now, lease],
    [SQL.select_tenant, null, fingerprint, slug, tenant, now],
  );
  if (answers[0].meta.changes === 0) fail(409, "SIGNUP_REFUSED");
  const row = answers.at(-1).results[0];
  const masked = email.replace(/^(.)[^@]*/, "$1***");
  log(call, "signup_completed", { tenantId: tenant, contactEmail: masked, plan: row.plan, replayed: false });
  const claims = {
    sub: owner,
    iss: call.env.JWT_ISSUER,
    aud: call.env.JWT_AUDIENCE,
    roles: ["tenant_admin", "owner"],
    tenantId: tenant,
    jti: `${tenant}.${uuid("", call.at)}`,
    iat: now,
    exp: now + DAY,
    unproven: true,
  };
  call.context.waitUntil(mailProof(call, { tenant, mail, email, now }));
  const summary = { id: tenant, slug: row.slug, name: row.name, email: row.email, plan: row.plan, status: row.status };
  const more = { comped: row.comped === 1, trialEndsAt: row.trial_ends_at };
  const jwt = await signed(call.env, claims);
  return { body: JSON.stringify({ success: true, tenantId: tenant, tenant: { ...summary, ...more }, discount: row.discount, jwt, emailProven: false }) };
}

/** Mails the code and the link that prove an address. What is stored of them is hashed. */
async function mailProof({ env, url }, { tenant, mail, email, now }) {
  const [name, host] = email.split("@");
  const stamp = [mail, email, String(now)];
  const digits = new DataView(bytes(await mac(env, ["code", ...stamp])).buffer).getBigUint64(0);
  const code = String(digits % 1_000_000n).padStart(6, "0");
  const secret = await mac(env, ["link", ...stamp]);
  const [link, hashed, mailbox] = await Promise.all([
    mac(env, ["stored link", tenant, secret]),
    mac(env, ["stored code", tenant, code]),
    mac(env, ["mailbox", `${name.split("+")[0]}@${host}`]),
  ]);
  const own = [tenant, CONFIRM, `proof/${mail}`, 0];
  const [begun] = await batch(
    { env },
    [SQL["begin_proof 1"], ...own, now, email, 1, mailbox, now, Number(env.PROOF_MAILS_PER_HOUR), DAY, MAILS_PER_MAILBOX, HOUR],
    [SQL["begin_proof 2"], ...own, now, mailbox, DAY, HOUR],
    [SQL["begin_proof 3"], ...own, link, hashed, now, 0],
    [SQL["begin_proof 4"], mailbox, now, DAY, HOUR],
  );
  if (begun.meta.changes === 0) return;
  const address = `${url.origin}/proof/#token=${tenant}.${secret}`;
  const text = `Enter this code:\n\n${code}\n\n${address}\n`;
  const html = `<!doctype html><p>Your code is ${code}. It counts for 30 minutes.</p><p><a href="${address}">Confirm</a></p>`;
  const answer = await env.EGRESS.fetch("https://api.resend.com/emails", {
    method: "POST",
    headers: {
      authorization: `Bearer ${env.RESEND_API_KEY}`,
      "content-type": "application/json",
      "idempotency-key": `proof/${mail}`,
      "user-agent": `Tenantry/${env.APP_VERSION}`,
    },
    body: JSON.stringify({ from: env.RESEND_FROM_EMAIL, to: [email], subject: "Confirm your e-mail address", text, html }),
  });
  await answer.text();
  await batch({ env }, [SQL.settle, ...own, answer.ok ? "sent" : "failed", null, answer.ok ? null : answer.status, null, now, 0]);
  log({ id: mail, at: Date.now() }, "mail_sent", { tenantId: tenant, attempt: 1 });
}

async function mac(env, parts) {
  proofKey ??= key(env)
    .then((signing) => crypto.subtle.sign("HMAC", signing, encoder.encode("email-proof")))
    .then((raw) => crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]));
  return base64url(new Uint8Array(await crypto.subtle.sign("HMAC", await proofKey, encoder.encode(parts.join("\n")))));
}

function signupForm(text) {
  if (text.length > 32 * 1024) fail(413, "BODY_TOO_LARGE");
  const { clubName, clubSlug, email, plan, promoCode } = JSON.parse(text);
  const form = { name: clubName?.trim(), slug: clubSlug?.trim(), email: email?.trim().toLowerCase(), plan };
  const isGood =
    form.name?.length >= 1 &&
    form.name.length <= 100 &&
    /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(form.slug) &&
    /^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(form.email) &&
    ["starter", "pro"].includes(form.plan);
  if (!isGood) fail(400, "VALIDATION_FAILED");
  return { ...form, promo: promoCode?.trim().toUpperCase() || null };
}

/** Neither request here is one by which a signup goes on. */
function authGuard({ jti = null, tenantId = null, iat = 0, unproven = false, sub = null, sid = null }) {
  return [SQL.auth_guard, jti, tenantId, iat, Number(unproven), 0, sub, sid];
}

async function batch({ env }, ...statements) {
  try {
    return await env.DB.batch(statements.map(([sql, ...params]) => env.DB.prepare(sql).bind(...params)));
  } catch (error) {
    if (String(error).includes("malformed JSON")) fail(401, "TOKEN_REVOKED");
    throw error;
  }
}

async function verified({ request, env, at }) {
  const [, token] = /^bearer (.+)$/i.exec(request.headers.get("authorization") ?? "") ?? fail(401, "UNAUTHORIZED");
  const [head, payload, signature, ...rest] = token.split(".");
  if (!signature || rest.length > 0 || decoded(head).alg !== "HS256") fail(401, "INVALID_TOKEN");
  const isSigned = await crypto.subtle.verify("HMAC", await key(env), bytes(signature), encoder.encode(`${head}.${payload}`));
  const claims = isSigned ? decoded(payload) : fail(401, "INVALID_TOKEN");
  const now = Math.floor(at / 1000);
  if (claims.iss !== env.JWT_ISSUER || claims.aud !== env.JWT_AUDIENCE || claims.exp <= now || claims.iat > now) fail(401, "INVALID_TOKEN");
  return claims;
}

async function signed(env, claims) {
  const text = `${base64url(encoder.encode('{"alg":"HS256","typ":"JWT"}'))}.${base64url(encoder.encode(JSON.stringify(claims)))}`;
  const signature = await crypto.subtle.sign("HMAC", await key(env), encoder.encode(text));
  return `${text}.${base64url(new Uint8Array(signature))}`;
}

const key = (env) =>
  (signingKey ??= crypto.subtle.importKey("raw", encoder.encode(env.JWT_SECRET), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]));

/** Counts a request; what was counted is written down together, every ten seconds. */
function count(env, context, what, at) {
  served.set(what, (served.get(what) ?? 0) + 1);
  if (at - countedAt < 10_000) return;
  countedAt = at;
  const rows = [...served].map(([what, requests]) => [...what.split(" "), requests]);
  served.clear();
  context.waitUntil(env.DB.prepare(SQL.add).bind(JSON.stringify(rows)).run());
}

function log({ id, at }, msg, fields) {
  console.log({ level: "info", msg, ...fields, requestId: id, ts: new Date(at).toISOString() });
}

function fail(status, code) {
  throw Object.assign(new Error(code), { status, code });
}

function refusal({ id }, { status = 500, code = "INTERNAL_ERROR" }) {
  return { status, code, body: JSON.stringify({ success: false, error: { code }, requestId: id }) };
}

function uuid(prefix, at) {
  const random = crypto.getRandomValues(new Uint8Array(10));
  random[0] = (random[0] & 0x0f) | 0x70;
  random[2] = (random[2] & 0x3f) | 0x80;
  return prefix + at.toString(16).padStart(12, "0") + Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** SHA-256 of texts, each behind its length. */
async function digest(texts) {
  const parts = texts.map((text) => encoder.encode(text));
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length + 8, 0));
  let end = 0;
  for (const part of parts) {
    new DataView(all.buffer).setBigUint64(end, BigInt(part.length));
    all.set(part, end + 8);
    end += part.length + 8;
  }
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", all)));
}

const time = (seconds) => (seconds == null ? null : new Date(seconds * 1000).toISOString());
const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replace(/[+/=]/g, (c) => ({ "+": "-", "/": "_", "=": "" })[c]);
const bytes = (text) => Uint8Array.from(atob(text.replace(/[-_]/g, (c) => ({ "-": "+", _: "/" })[c])), (c) => c.charCodeAt(0));
const decoded = (text) => JSON.parse(new TextDecoder().decode(bytes(text)));
