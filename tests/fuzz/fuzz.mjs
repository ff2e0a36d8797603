// Schemathesis, an independent reader of openapi.json, against the running service: thousands of requests, right and wrong by the
// document, and every answer held against it. `npm run test:fuzz` starts what this needs and sets:
//
//   BASE_URL, SANDBOX_URL   the service and its sandbox
//   JWT_SECRET              what its tokens are signed with
//   SCHEMATHESIS            the program
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { KINDS, issue } from "../../scripts/lib/tokens.mjs";
import { client, until } from "../client.mjs";

const { BASE_URL, SANDBOX_URL, JWT_SECRET, SCHEMATHESIS } = process.env;
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const CONFIG = fileURLToPath(new URL("schemathesis.toml", import.meta.url));

/** What ends the tokens or the tenant that all others need; each of these has a run and a tenant of its own. */
const ENDS = ["logOut", "revokeTokens", "removeTenant"];
/** What only a tenant does whose address is not proven. */
const PROOFS = ["proveAddress", "mailProof", "correctEmail"];

const api = client({ url: BASE_URL, secret: JWT_SECRET, sandboxFetch: (path, init) => fetch(new URL(path, SANDBOX_URL), init) });
const signedUp = async () => {
  await everybodyWorks();
  const tenant = await api.signup();
  await api.confirm(tenant);
  const { data } = await api.settled(tenant);
  return { ...tenant, run: data.runId };
};
/** By the token of its signup, which is all that it has; whatever it wants waits. */
const unproven = async () => {
  await everybodyWorks();
  return { ...(await api.signupUnproven()), run: "run_none" };
};

const only = (ids) => ids.flatMap((id) => ["--include-operation-id", id]);
const codes = [await run(await signedUp(), [...ENDS, ...PROOFS].flatMap((id) => ["--exclude-operation-id", id]))];
codes.push(await run(await unproven(), only([...PROOFS, ...(await tenantsOwn())]), ["--max-examples", "15"]));
for (const id of ENDS) codes.push(await run(await signedUp(), only([id])));
process.exit(codes.some((code) => code !== 0) ? 1 : 0);

/** What an earlier run may have stopped: provisioning whole, or one upstream. */
async function everybodyWorks() {
  // Tokens of the second in which all were revoked are refused.
  await until(async () => (await api.api("GET", "/whoami", { token: api.token() })).status === 200);
  const operator = (path) => api.api("POST", `/api/v1/bgops/${path}`, { token: api.token(), body: { reason: "the next run" } });
  await operator("provisioning/resume");
  const { body } = await api.api("GET", "/api/v1/bgops/upstreams", { token: api.token() });
  for (const { upstream } of body.data) await operator(`upstreams/${upstream}/close`);
}

/** The operations that take a tenant's own token, but for those that end it. */
async function tenantsOwn() {
  const { body } = await api.api("GET", "/openapi.json");
  const operations = Object.values(body.paths).flatMap((path) => Object.values(path));
  const own = operations.filter(({ operationId, security }) => operationId && security?.some((one) => "tenant" in one));
  return own.map(({ operationId }) => operationId).filter((id) => ![...ENDS, ...PROOFS].includes(id));
}

async function run(tenant, which, more = []) {
  const token = (kind, claims = {}) => {
    const { roles, aud, ttl } = KINDS[kind];
    return issue({ sub: "fuzz", iss: "syston.app", aud, roles, ...claims }, ttl, JWT_SECRET);
  };
  const env = {
    ...process.env,
    TENANT: tenant.tenantId,
    RUN: tenant.run,
    TENANT_TOKEN: tenant.emailProven ? token("tenant", { tenantId: tenant.tenantId }) : tenant.jwt,
    OPERATOR_TOKEN: token("platform"),
    MACHINE_TOKEN: token("service"),
  };
  const args = ["--config-file", CONFIG, "run", `${BASE_URL}/openapi.json`, ...which, ...more];
  // Not `spawnSync`: connections that the service closes meanwhile would be taken for open ones afterwards.
  const [code] = await once(spawn(SCHEMATHESIS, args, { cwd: ROOT, env, stdio: ["ignore", "inherit", "inherit"] }), "exit");
  return code;
}
