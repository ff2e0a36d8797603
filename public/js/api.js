// The service's HTTP API as this page uses it. Every call answers, none throws, and the answer's `kind` is the
// decision that the caller has to take:
//   ok       done
//   refused  a definite no, with the reason
//   later    not now; `retryAfter` seconds if the server said so
//   lost     we don't know: no answer, a broken one, or a server error after which anything may have happened

const PATIENCE_MS = 20000;

const seconds = (headers) => {
  const value = Number(headers.get("retry-after"));
  return Number.isFinite(value) && value > 0 ? value : null;
};

/** The server's clock against this device's, in ms: devices in clubhouses are often wrong. */
let clockSkew = 0;
export const serverNow = () => Date.now() + clockSkew;

async function parse(response) {
  const date = Date.parse(response.headers.get("date"));
  if (date) clockSkew = date - Date.now();
  const answer = {
    status: response.status,
    retryAfter: seconds(response.headers),
    etag: response.headers.get("etag"),
    body: null,
  };
  if (response.status === 304) return { ...answer, kind: "ok" };
  try {
    answer.body = await response.json();
  } catch {
    return { ...answer, kind: "lost" };
  }
  answer.error = answer.body.error ?? {};
  return { ...answer, kind: judge(answer) };
}

function judge({ status, error }) {
  if (status < 400) return "ok";
  if (error.code === "SIGNUPS_DISABLED") return "refused";
  if (status === 429 || status === 503 || error.code === "IDEMPOTENCY_IN_PROGRESS") return "later";
  return status >= 500 || status === 408 ? "lost" : "refused";
}

async function call(method, path, { body, token, key, etag, signal } = {}) {
  const headers = { accept: "application/json" };
  if (body) headers["content-type"] = "application/json";
  if (token) headers.authorization = `Bearer ${token}`;
  if (key) headers["idempotency-key"] = key;
  if (etag) headers["if-none-match"] = etag;
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), PATIENCE_MS);
  signal?.addEventListener("abort", () => limit.abort());
  try {
    return await parse(
      // "no-store" keeps the browser's cache out of the ETag conversation: a 304 reaches us as one.
      await fetch(path, {
        method,
        headers,
        body: body && JSON.stringify(body),
        signal: limit.signal,
        cache: "no-store",
        credentials: "omit",
      }),
    );
  } catch {
    return { kind: "lost", status: 0, retryAfter: null, aborted: signal?.aborted ?? false };
  } finally {
    clearTimeout(timer);
  }
}

const tenant = (id, rest) => `/api/v1/tenants/${encodeURIComponent(id)}/${rest}`;

export const availability = (slug, signal) =>
  call("GET", `/public/signup/availability?slug=${encodeURIComponent(slug)}`, { signal });
export const verifyPromo = (promoCode, tenantSlug, signal) =>
  call("POST", "/public/signup/verify-promo", { body: { promoCode, tenantSlug }, signal });
export const start = (body, key) => call("POST", "/public/signup/start", { body, key });
export const brand = (colours, token) => call("POST", "/public/signup/brand", { body: colours, token });
export const connectMake = (webhook, token) => call("POST", "/public/signup/starter/make", { body: webhook, token });
export const confirmPro = (token) => call("POST", "/public/signup/pro/confirm", { body: {}, token });
export const testWebhook = (webhook, token, id) => call("POST", tenant(id, "webhook/test"), { body: webhook, token });
export const status = (token, id, { etag, signal } = {}) => call("GET", tenant(id, "provision-status"), { token, etag, signal });
export const retry = (token, id) => call("POST", tenant(id, "provision/retry"), { body: {}, token });
export const whoami = (token) => call("GET", "/whoami", { token });
export const prove = (proof, token) => call("POST", "/auth/proof", { body: proof, token });
export const sendProof = (token) => call("POST", "/auth/proof/send", { body: {}, token });
export const correctEmail = (email, token) => call("PATCH", "/public/signup/email", { body: { email }, token });
/** `whom` is `{email}` or `{tenantSlug}`. */
export const mailLink = (whom) => call("POST", "/auth/magic/start", { body: whom });
/** `proof` is `{token}`, or `{code}` with `{email}` or `{slug}`. */
export const redeem = (proof) => call("POST", "/auth/magic/verify", { body: proof });
