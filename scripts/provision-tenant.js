#!/usr/bin/env node
// Queues a tenant's provisioning again: it starts, or resumes from its last good checkpoint.
//
//   JWT_SECRET=… node scripts/provision-tenant.js <tenantId> [--retry] --url https://…
//
// --retry   calls /internal/provision/retry in place of /queue
// --url     the service (otherwise WORKER_URL); `npm start`'s is http://127.0.0.1:8787
//
// The secret comes from the environment alone: arguments are visible to every user of the machine. It signs a service token that
// lives five minutes. Exits 0 only when the service accepted. Needs Node 20 and nothing else.
import { parseArgs } from "node:util";
import { harmless, help } from "./lib/project.mjs";
import { KINDS, SHORTEST_SECRET, issue, keyOf } from "./lib/tokens.mjs";

const USAGE = "Usage: JWT_SECRET=… node scripts/provision-tenant.js <tenantId> [--retry] --url https://…";
/** As much of an answer as is read. */
const LARGEST = 64 * 1024;

function fail(line) {
  process.stderr.write(`✗ ${harmless(line).replaceAll("\n", " ")}\n`);
  process.exit(1);
}

function request() {
  let parsed;
  try {
    parsed = parseArgs({ allowPositionals: true, options: { retry: { type: "boolean" }, url: { type: "string" }, help: { type: "boolean" } } });
  } catch (error) {
    fail(`${error.message} ${USAGE}`);
  }
  const { values, positionals } = parsed;
  if (values.help) help(import.meta.url);
  if (positionals.length !== 1) fail(USAGE);
  if (!/^tenant_[\w-]{1,64}$/.test(positionals[0])) fail(`${positionals[0]} is no tenant's id: give tenant_….`);
  const address = values.url ?? process.env.WORKER_URL;
  if (!address) fail("Say which service: --url https://…, or WORKER_URL (`npm start`: http://127.0.0.1:8787).");
  if (!URL.canParse(address) || !/^https?:/.test(address)) fail(`${address} is not an http(s) address.`);
  const base = new URL(address);
  const local = ["127.0.0.1", "localhost", "[::1]"].includes(base.hostname);
  if (base.username || base.password) fail("An address with a name or a password is not taken: arguments are public.");
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
if (keyOf(secret).length < SHORTEST_SECRET) fail(`JWT_SECRET is shorter than ${SHORTEST_SECRET} bytes: the service accepts no such secret.`);
process.stderr.write(`· ${url.origin}\n`);

let response;
let text;
try {
  response = await fetch(url, {
    method: "POST",
    redirect: "error",
    signal: AbortSignal.timeout(30_000),
    headers: { authorization: `Bearer ${serviceToken(secret)}`, "content-type": "application/json" },
    body: JSON.stringify({ tenantId }),
  });
  text = await beginning(response.body);
} catch (error) {
  fail(`${url.origin} can't be asked: ${error.cause?.message || error.cause?.code || error.message}`);
}
process.stdout.write(`${harmless(text).trim()}\n`);
if (!response.ok) fail(`${url.pathname} answered ${response.status}.`);
if (!accepted(text)) fail(`${url.pathname} answered ${response.status}, but not that it queued ${tenantId}.`);

/** The text of an answer up to the bound. */
async function beginning(body) {
  const parts = [];
  let length = 0;
  for await (const part of body ?? []) {
    parts.push(part);
    length += part.length;
    if (length >= LARGEST) break;
  }
  return Buffer.concat(parts).subarray(0, LARGEST).toString("utf8");
}

function accepted(text) {
  try {
    return JSON.parse(text).success === true;
  } catch {
    return false;
  }
}
