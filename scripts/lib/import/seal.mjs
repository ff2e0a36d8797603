// Seals a secret as the service does at rest (src/edge/crypto.rs): AES-GCM under DATA_KEY, bound to the tenant.
import { createCipheriv, createHash, randomBytes } from "node:crypto";

const derived = (label, key) => createHash("sha256").update(label).update(key).digest();

/** The name of a key: it stands in what was sealed under it. */
export const keyName = (key) => derived("tenantry data key name:", key).subarray(0, 6).toString("base64url");

export function seal(key, plain, tenant) {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", derived("tenantry data key:", key), nonce);
  cipher.setAAD(Buffer.from(tenant, "utf8"));
  const sealed = Buffer.concat([nonce, cipher.update(plain, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return `v1.${keyName(key)}.${sealed.toString("base64url")}`;
}
