#!/usr/bin/env node
// Queues a tenant's provisioning again: it starts, or resumes from its last good checkpoint.
//
//   JWT_SECRET=… node scripts/provision-tenant.js <tenantId> [--retry] [--url https://…]
//
// --retry   calls /internal/provision/retry in place of /queue
// --url     the service (otherwise WORKER_URL, otherwise http://127.0.0.1:8787)
//
// The secret comes from the environment alone: arguments are visible to every user of the machine. It signs a service token that
// lives five minutes. Exits 0 only when the service accepted. Needs Node 20 and nothing else.
import { parseArgs } from "node:util";
import { KINDS, issue } from "./lib/tokens.mjs";

const USAGE = "Usage: JWT_SECRET=… node scripts/provision-tenant.js <tenantId> [--retry] [--url https://…]";

function fail(line) {
  console.error(`✗ ${line}`);
  process.exit(1);
}

function request() {
  let parsed;
  try {
    parsed = parseArgs({ allowPositionals: true, options: { retry: { type: "boolean" }, url: { type: "string" }, help: { type: "boolean" } } });
  } catch (error) {
    fail(`${error.message}\n${USAGE}`);
  }
  const { values, positionals } = parsed;
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  if (positionals.length !== 1) fail(USAGE);
  const address = values.url ?? (process.env.WORKER_URL || "http://127.0.0.1:8787");
  if (!URL.canParse(address) || !/^https?:/.test(address)) fail(`${address} is not an http(s) address.`);
  const base = new URL(address);
  const local = ["127.0.0.1", "localhost", "[::1]"].includes(base.hostname);
  if (base.protocol === "http:" && !local) fail(`${base.origin}: the token may only travel over https, or on this machine.`);
  return { tenantId: positionals[0], url: new URL(`/internal/provision/${values.retry ? "retry" : "queue"}`, base) };
}

function serviceToken(secret) {
  const { roles, aud, ttl } = KINDS.service;
  return issue({ roles, aud, sub: "provision-tenant", iss: process.env.JWT_ISSUER || "syston.app" }, ttl, secret);
}

const { tenantId, url } = request();
const secret = process.env.JWT_SECRET;
if (!secret) fail("JWT_SECRET is not set: give the service's secret in the environment (for `npm start` it is in .dev.vars).");

let response;
try {
  response = await fetch(url, {
    method: "POST",
    redirect: "error",
    signal: AbortSignal.timeout(30_000),
    headers: { authorization: `Bearer ${serviceToken(secret)}`, "content-type": "application/json" },
    body: JSON.stringify({ tenantId }),
  });
} catch (error) {
  fail(`${url.origin} can't be reached: ${error.cause?.message || error.cause?.code || error.message}`);
}
console.log(await response.text());
if (!response.ok) fail(`${url.pathname} answered ${response.status}.`);
