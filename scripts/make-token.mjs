#!/usr/bin/env node
// Makes a token, for an operator's call by hand.
//
//   JWT_SECRET=… scripts/make-token.mjs service|platform|tenant --environment local|preview|production [--tenant ID] [--ttl 5m] [--sub NAME]
//
// service   for /internal/…, at most 5 minutes (and that by default)
// platform  for operators' routes, at most 7 days, an hour by default
// tenant    as the admin of the club that --tenant names, at most 365 days, an hour by default
//
// The secret comes from JWT_SECRET in the environment. For `local` it comes from .dev.vars when that is not set. It is never an argument:
// arguments are visible to every user of the machine. The token alone goes to standard output, a note about it to standard error:
// TOKEN=$(scripts/make-token.mjs platform) works.
import { parseArgs } from "node:util";
import { DEPLOYED, configuration, localSecret } from "./lib/environments.mjs";
import { onProjectNode } from "./lib/prepare.mjs";
import { Failure, exitWith, help } from "./lib/project.mjs";
import { KINDS, SHORTEST_SECRET, issue, keyOf, seconds } from "./lib/tokens.mjs";

try {
  await onProjectNode();
  const wanted = request();
  const { vars } = await configuration(wanted.environment);
  const claims = {
    iss: vars.JWT_ISSUER,
    aud: wanted.kind === "tenant" ? vars.JWT_AUDIENCE : KINDS[wanted.kind].aud,
    sub: wanted.sub,
    roles: KINDS[wanted.kind].roles,
    ...(wanted.tenant && { tenantId: wanted.tenant }),
  };
  const token = issue(claims, wanted.ttl, secretOf(wanted.environment));
  process.stderr.write(`· ${wanted.kind} token for ${wanted.environment}, ${wanted.sub}, until ${until(wanted.ttl)}\n`);
  process.stdout.write(`${token}\n`);
} catch (error) {
  exitWith(error);
}

function request() {
  const options = { tenant: "string", ttl: "string", sub: "string", environment: "string", help: "boolean" };
  let parsed;
  try {
    const typed = Object.fromEntries(Object.entries(options).map(([name, type]) => [name, { type }]));
    parsed = parseArgs({ allowPositionals: true, options: typed });
  } catch (error) {
    throw new Failure(`${error.message} See scripts/make-token.mjs --help.`);
  }
  const { values, positionals } = parsed;
  if (values.help) help(import.meta.url);
  const [kind] = positionals;
  if (positionals.length !== 1 || !Object.hasOwn(KINDS, kind))
    throw new Failure("Say one of service, platform, tenant. See scripts/make-token.mjs --help.");
  const environment = values.environment;
  if (environment === undefined) throw new Failure("Say where: --environment local, preview or production.");
  if (!["local", ...DEPLOYED].includes(environment))
    throw new Failure(`Unknown environment: ${environment}. Use local, preview or production.`);
  if ((kind === "tenant") !== (values.tenant !== undefined)) {
    throw new Failure(kind === "tenant" ? "Say whose token: --tenant tenant_…" : `A ${kind} token names no tenant: leave --tenant out.`);
  }
  const { ttl: usual, most } = KINDS[kind];
  const ttl = values.ttl === undefined ? usual : seconds(values.ttl);
  if (ttl === null) throw new Failure(`--ttl ${values.ttl}: give seconds, or 30s, 5m, 2h, 7d.`);
  if (ttl > most) throw new Failure(`--ttl ${values.ttl}: the service refuses ${kind} tokens that live longer than ${words(most)}.`);
  return { kind, environment, ttl, tenant: values.tenant, sub: values.sub ?? "operator" };
}

function secretOf(environment) {
  const secret = process.env.JWT_SECRET || (environment === "local" ? localSecret("JWT_SECRET") : null);
  if (!secret) {
    const where =
      environment === "local" ? "run npm start once, which writes .dev.vars" : `give ${environment}'s secret in the environment`;
    throw new Failure(`JWT_SECRET is not set: ${where}.`);
  }
  if (keyOf(secret).length < SHORTEST_SECRET)
    throw new Failure(`JWT_SECRET is shorter than ${SHORTEST_SECRET} bytes: the service accepts no such secret.`);
  return secret;
}

function words(ttl) {
  return ttl < 86_400 ? `${ttl / 60} minutes` : `${ttl / 86_400} days`;
}

function until(ttl) {
  return new Date(Date.now() + ttl * 1000).toISOString();
}
