// Google's token endpoint for service accounts (https://developers.google.com/identity/protocols/oauth2/service-account) and
// spreadsheets.get (https://developers.google.com/workspace/sheets/api/reference/rest/v4/spreadsheets/get). The sandbox copies the two
// shapes of errors: {"error":"invalid_grant",…} and {"error":{"code",…}}. It also copies the required claims of an assertion, tokens that
// end after an hour, scopes, and the `fields` mask. The assertion's RS256 signature is checked once the control API was told the public
// key. Until then only its shape is checked.

import { isObject, isText, json } from "./replies.js";
import { fromBase64Url, rs256Verifies, toHex } from "./signatures.js";

const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const AUDIENCES = ["https://oauth2.googleapis.com/token", "https://www.googleapis.com/oauth2/v4/token"];
const TOKEN_SECONDS = 3599;
const SPREADSHEET = /^\/v4\/spreadsheets\/([\w-]+)$/;
const READING_SCOPES = ["spreadsheets", "spreadsheets.readonly", "drive", "drive.readonly", "drive.file"];
const STATUS_WORDS = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  429: "RESOURCE_EXHAUSTED",
  503: "UNAVAILABLE",
};

const apiError = (code, message, reason) => {
  const details = reason && [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, domain: "googleapis.com" }];
  return json(code, { error: { code, message, status: STATUS_WORDS[code] ?? "INTERNAL", ...(details && { details }) } });
};

const oauthError = (error, description) => json(400, { error, error_description: description });

const isTokenHost = (call) => call.host === "oauth2.googleapis.com";

export const google = {
  name: "google",
  plays: (host) => host === "oauth2.googleapis.com" || host === "sheets.googleapis.com",
  identify: (call) => ({ operation: isTokenHost(call) ? "token" : "spreadsheets.get", key: null, effect: false }),
  verify: (call, tools) => (isTokenHost(call) ? assertionVerdict(call, tools) : tokenVerdict(call, tools)),
  answer: (call, tools) => (isTokenHost(call) ? issueToken(call, tools) : readSpreadsheet(call, tools)),
  failure: (status) => apiError(status, "The service is currently unable to answer."),
};

export function registerAccount(sql, clientEmail, publicKey) {
  sql.exec(
    `insert into google_account (id, client_email, public_key) values (1, ?, ?)
     on conflict (id) do update set client_email = excluded.client_email, public_key = excluded.public_key`,
    clientEmail,
    publicKey,
  );
}

const knownAccount = (sql) => sql.exec("select client_email, public_key from google_account").toArray()[0];

// The assertion taken apart, or undefined when it is not a JWT at all.
function readAssertion(call) {
  const assertion = new URLSearchParams(call.body).get("assertion") ?? "";
  const parts = assertion.split(".");
  if (parts.length !== 3) return undefined;
  try {
    const [header, claims] = parts
      .slice(0, 2)
      .map((part) => JSON.parse(new TextDecoder().decode(fromBase64Url(part))));
    const signature = fromBase64Url(parts[2]);
    if (!isObject(header) || !isObject(claims)) return undefined;
    return { header, claims, signature, signed: `${parts[0]}.${parts[1]}` };
  } catch {
    return undefined;
  }
}

async function assertionVerdict(call, { sql }) {
  const assertion = readAssertion(call);
  const account = knownAccount(sql);
  if (assertion === undefined) return { present: false, valid: false };
  if (account === undefined) return { present: true, valid: null };
  return { present: true, valid: await rs256Verifies(account.public_key, assertion.signed, assertion.signature) };
}

function issueToken(call, { sql, signature, now }) {
  if (call.path !== "/token" || call.method !== "POST") return apiError(404, "Not found.");
  const grant = new URLSearchParams(call.body).get("grant_type");
  if (grant !== JWT_BEARER) return oauthError("unsupported_grant_type", `Invalid grant_type: ${grant}`);
  const assertion = readAssertion(call);
  const refusal = refuseAssertion(assertion, knownAccount(sql), signature, now / 1000);
  if (refusal) return refusal;
  const token = `ya29.${toHex(crypto.getRandomValues(new Uint8Array(24)))}`;
  sql.exec(
    "insert into google_tokens (token, scope, expires_at) values (?, ?, ?)",
    token,
    assertion.claims.scope,
    now + TOKEN_SECONDS * 1000,
  );
  return json(200, { access_token: token, expires_in: TOKEN_SECONDS, token_type: "Bearer" });
}

function refuseAssertion(assertion, account, signature, nowSeconds) {
  if (assertion === undefined) return oauthError("invalid_grant", "Bad Request");
  const { header, claims } = assertion;
  if (header.alg !== "RS256") return oauthError("invalid_grant", "Invalid JWT: unsupported algorithm.");
  if (!isText(claims.iss)) return oauthError("invalid_grant", "Invalid JWT: iss field missing.");
  if (!AUDIENCES.includes(claims.aud)) return oauthError("invalid_grant", "Invalid JWT: Failed audience check.");
  if (!isShortLived(claims, nowSeconds)) {
    return oauthError(
      "invalid_grant",
      "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. " +
        "Check your iat and exp values in the JWT claim.",
    );
  }
  if (account && claims.iss !== account.client_email) {
    return oauthError("invalid_grant", "Invalid grant: account not found");
  }
  if (signature.valid === false) return oauthError("invalid_grant", "Invalid JWT Signature.");
  if (!isText(claims.scope)) {
    return oauthError("invalid_scope", "Invalid OAuth scope or ID token audience provided.");
  }
  return undefined;
}

function isShortLived({ iat, exp }, nowSeconds) {
  if (!Number.isInteger(iat) || !Number.isInteger(exp)) return false;
  return iat <= nowSeconds + 300 && exp > nowSeconds && exp > iat && exp - iat <= 3600;
}

const bearerOf = (call) => /^Bearer (.+)$/i.exec(call.headers.authorization ?? "")?.[1];

const tokenRow = (sql, token) =>
  sql.exec("select scope, expires_at from google_tokens where token = ?", token).toArray()[0];

async function tokenVerdict(call, { sql, now }) {
  const token = bearerOf(call);
  if (token === undefined) return { present: false, valid: false };
  return { present: true, valid: (tokenRow(sql, token)?.expires_at ?? 0) > now };
}

const mayRead = (scope) =>
  scope.split(" ").some((one) => READING_SCOPES.includes(one.replace("https://www.googleapis.com/auth/", "")));

function readSpreadsheet(call, { sql, signature }) {
  const id = SPREADSHEET.exec(call.path)?.[1];
  if (id === undefined || call.method !== "GET") return apiError(404, "Requested entity was not found.");
  if (!signature.present) return apiError(403, "Method doesn't allow unregistered callers.");
  if (!signature.valid) return apiError(401, "Request had invalid authentication credentials.");
  if (!mayRead(tokenRow(sql, bearerOf(call)).scope)) {
    return apiError(403, "Request had insufficient authentication scopes.", "ACCESS_TOKEN_SCOPE_INSUFFICIENT");
  }
  const [row] = sql.exec("select spreadsheet_id, title from spreadsheets where spreadsheet_id = ?", id).toArray();
  if (row === undefined) return apiError(404, "Requested entity was not found.");
  const whole = {
    spreadsheetId: row.spreadsheet_id,
    properties: { title: row.title, locale: "en_US", timeZone: "Etc/GMT" },
    spreadsheetUrl: `https://docs.google.com/spreadsheets/d/${row.spreadsheet_id}/edit`,
  };
  return json(200, masked(whole, new URL(call.url).searchParams.get("fields")));
}

// `fields` as a list of dotted paths, the form that callers of this product use.
function masked(value, fields) {
  if (!fields || fields === "*") return value;
  const result = {};
  for (const path of fields.split(",")) {
    const [head, ...rest] = path.split(".");
    if (!(head in value)) continue;
    result[head] = rest.length === 0 ? value[head] : { ...result[head], ...masked(value[head], rest.join(".")) };
  }
  return result;
}
