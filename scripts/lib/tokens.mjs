// Tokens as operators make them: what each kind says, how long it may live, and the signature. Node's built-ins only.
import { createHmac, randomUUID } from "node:crypto";

const HOUR = 3600;
const DAY = 24 * HOUR;

/** `ttl`: how long a token lives unless told otherwise; `most`: the service refuses what lives longer. All in seconds. */
export const KINDS = {
  service: { roles: ["service"], aud: "internal", ttl: 300, most: 300 },
  platform: { roles: ["admin"], aud: "syston-admin", ttl: HOUR, most: 7 * DAY },
  tenant: { roles: ["tenant_admin", "owner"], aud: "syston-mobile", ttl: HOUR, most: 365 * DAY },
};

/** The service signs nothing with a shorter secret, and accepts nothing that was. */
export const SHORTEST_SECRET = 32;

/** A token with these claims, issued now. What signs is the key that the secret is. */
export function issue(claims, ttl, secret) {
  const iat = Math.floor(Date.now() / 1000);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  // Whoever revokes a club's token by its id shall not have to know whose it is.
  const jti = claims.tenantId ? `${claims.tenantId}.${randomUUID()}` : randomUUID();
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part({ ...claims, jti, iat, exp: iat + ttl })}`;
  return `${signed}.${createHmac("sha256", keyOf(secret)).update(signed).digest("base64url")}`;
}

/** `90`, `90s`, `5m`, `2h` or `7d` in seconds; null for anything else. */
export function seconds(text) {
  const [, number, unit] = /^([1-9]\d{0,8})([smhd]?)$/.exec(text) ?? [];
  return number === undefined ? null : Number(number) * { "": 1, s: 1, m: 60, h: HOUR, d: DAY }[unit];
}

/** The key that a secret is: its own bytes, or what it decodes to where it begins with `base64:`. */
export function keyOf(secret) {
  return secret.startsWith("base64:") ? Buffer.from(secret.slice("base64:".length), "base64") : Buffer.from(secret);
}
