// The sandbox in its runtime, empty before each test, and the ways in which the tests speak to it.

import assert from "node:assert/strict";
import { after, before, beforeEach } from "node:test";
import { fileURLToPath } from "node:url";
import { createTestHarness } from "wrangler";

export const GAS_SECRET = "an-apps-script-secret-for-tests";
export const RESEND_KEY = "re_a_key_for_tests";
export const CLOUDFLARE_TOKEN = "a_cloudflare_token_for_tests";
export const TURNSTILE_SECRET = "a_turnstile_secret_for_tests";
export const PLATFORM_SECRET = `whsec_${Buffer.alloc(32, 5).toString("base64")}`;

export const server = createTestHarness({
  workers: [
    {
      configPath: fileURLToPath(new URL("../../../scripts/sandbox/wrangler.toml", import.meta.url)),
      secrets: {
        GAS_HMAC_SECRET: GAS_SECRET,
        RESEND_API_KEY: RESEND_KEY,
        CLOUDFLARE_API_TOKEN: CLOUDFLARE_TOKEN,
        TURNSTILE_SECRET,
        PLATFORM_WEBHOOK_SECRET: PLATFORM_SECRET,
      },
    },
  ],
});

before(() => server.listen());
after(() => server.close());
beforeEach(() => control("POST", "reset"));

export const call = (url, options = {}) => server.fetch(url, { redirect: "manual", ...options });

export const post = (url, value, headers = {}) =>
  call(url, {
    method: "POST",
    headers: { "content-type": "application/json", "user-agent": "tenantry/test", ...headers },
    body: typeof value === "string" ? value : JSON.stringify(value),
  });

export async function control(method, path, value) {
  const response = await call(`/__sandbox/${path}`, {
    method,
    body: value === undefined ? undefined : JSON.stringify(value),
  });
  return { status: response.status, ...(await response.json()) };
}

export const fault = (value) => control("POST", "faults", value);
export const requests = async (query = "") => (await control("GET", `requests${query}`)).requests;
export const effects = async (query = "") => (await control("GET", `effects${query}`)).effects;
export const mails = async (query = "") => (await control("GET", `mails${query}`)).mails;

// Asks again and again, each answer being a round trip, until there is one.
export async function eventually(read) {
  for (let attempt = 0; attempt < 500; attempt += 1) {
    const found = await read();
    if (found) return found;
  }
  assert.fail("it did not happen");
}
