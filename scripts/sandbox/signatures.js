// The cryptography that the upstreams (or, for Make, the scenario behind the webhook) would do on what they receive.

const encoder = new TextEncoder();

export const utf8 = (text) => encoder.encode(text);

export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));

export const fromBase64 = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

export const fromBase64Url = (text) => fromBase64(text.replaceAll("-", "+").replaceAll("_", "/"));

export function randomId(alphabet, length) {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => alphabet[byte % alphabet.length]).join("");
}

export async function hmacSha256(key, message) {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, utf8(message)));
}

const RS256 = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };

// Throws when the text is not the SPKI PEM of an RSA key.
export function importPublicKey(pem) {
  const base64 = pem.replace(/-----(BEGIN|END) PUBLIC KEY-----/g, "").replace(/\s+/g, "");
  return crypto.subtle.importKey("spki", fromBase64(base64), RS256, false, ["verify"]);
}

export async function rs256Verifies(pem, signingInput, signature) {
  return crypto.subtle.verify(RS256, await importPublicKey(pem), signature, utf8(signingInput));
}

// A bearer credential judged against the one we were given; null when we were given none to compare with.
export function bearerVerdict(authorization, expected) {
  const token = /^Bearer (.+)$/i.exec(authorization ?? "")?.[1];
  if (token === undefined) return { present: false, valid: false };
  return { present: true, valid: expected ? token === expected : null };
}

const TOLERANCE_SECONDS = 300;

// A message by Standard Webhooks, judged by a receiver that knows `secret`.
export async function messageVerifies(call, secret, now) {
  const id = call.headers["webhook-id"];
  const timestamp = Number(call.headers["webhook-timestamp"]);
  const given = (call.headers["webhook-signature"] ?? "").split(" ");
  if (!id || !Number.isInteger(timestamp)) return false;
  if (Math.abs(now / 1000 - timestamp) > TOLERANCE_SECONDS) return false;
  const signed = `${id}.${call.headers["webhook-timestamp"]}.${call.body}`;
  return given.includes(`v1,${toBase64(await hmacSha256(keyBytes(secret), signed))}`);
}

export function keyBytes(secret) {
  return secret.startsWith("whsec_") ? fromBase64(secret.slice("whsec_".length)) : utf8(secret);
}
