// The environments of wrangler.toml, as wrangler itself reads them, and what has to hold for those that are deployed.
import { readFileSync } from "node:fs";
import { Failure, at } from "./project.mjs";

/** What is published; `local` is the default environment of wrangler.toml, which never is. */
export const DEPLOYED = ["preview", "production"];

/** A binding that development alone has: the sandbox that plays every upstream. */
const DEVELOPMENT_ONLY = "EGRESS";

/** Development's limits let load tests through; nobody else's may. */
const LOOSEST_LIMIT = 1000;

/** An environment's configuration. Needs npm's Node: wrangler does not load under an older one. */
export async function configuration(environment) {
  const { unstable_readConfig: readConfig } = await import("wrangler");
  return readConfig({ config: at("wrangler.toml"), env: environment === "local" ? undefined : environment }, { hideWarnings: true });
}

/** All of them, by name. */
export async function configurations() {
  const names = ["local", ...DEPLOYED];
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await configuration(name)])));
}

/** What is wrong with the configurations together, at any time: one line each. */
export function problems(all) {
  return [...sharedIds(all), ...Object.entries(all).flatMap(([name, config]) => keptByThePlatform(name, config)), ...DEPLOYED.flatMap((name) => [...foreignParts(name, all[name]), ...missingBindings(name, all), ...unrouted(name, all[name])])];
}

/** Two environments with one database, one name or one rate limit would work on each other's data. */
export function sharedIds(all) {
  const owners = new Map();
  const shared = [];
  for (const [environment, config] of Object.entries(all)) {
    for (const [what, id] of identities(config)) {
      const key = `${what} ${id}`;
      if (owners.has(key) && owners.get(key) !== environment) shared.push(`${key} belongs to ${owners.get(key)} and to ${environment}.`);
      owners.set(key, environment);
    }
  }
  return shared;
}

/** What the platform's own logs and traces would keep: query strings, and the paths of webhooks that are called. */
export function keptByThePlatform(name, { observability }) {
  const found = [];
  if (observability?.redact_query_string !== true) found.push(`${name} keeps query strings: observability.redact_query_string must be true.`);
  if (observability?.logs?.invocation_logs !== false) found.push(`${name} keeps invocation logs: observability.logs.invocation_logs must be false.`);
  if (observability?.traces?.enabled !== false) found.push(`${name} keeps traces: observability.traces.enabled must be false.`);
  return found;
}

function identities(config) {
  return [
    ["name", config.name],
    ...config.d1_databases.flatMap((each) => [
      ["database_id", each.database_id],
      ["database_name", each.database_name],
    ]),
    ...patterns(config).map((pattern) => ["route", pattern]),
    ...(config.ratelimits ?? []).map((each) => ["ratelimit namespace_id", each.namespace_id]),
    ...config.kv_namespaces.map((each) => ["kv namespace", each.id]),
    ...config.r2_buckets.map((each) => ["bucket", each.bucket_name]),
  ];
}

const patterns = (config) => (config.routes ?? []).map((route) => (typeof route === "string" ? route : route.pattern));

/** Addresses that mails and clubs are given, and that lead to somebody else. Nothing to say while they are placeholders. */
export function unrouted(name, config) {
  const routes = patterns(config);
  if (routes.some(isPlaceholder)) return [];
  const { ADMIN_CONSOLE_URL, BASE_DOMAIN, SUBDOMAIN_MODE } = config.vars;
  const console = URL.parse(ADMIN_CONSOLE_URL ?? "")?.host;
  const found = [];
  if (console && !routes.some((route) => route === console || route === `${console}/*`))
    found.push(`${name} has no route for ${console}: mailed links lead there (ADMIN_CONSOLE_URL).`);
  if (SUBDOMAIN_MODE !== "none" && !routes.includes(`*.${BASE_DOMAIN}/*`))
    found.push(`${name} has no route *.${BASE_DOMAIN}/*: clubs live there (BASE_DOMAIN).`);
  return found;
}

/** What belongs to development, or to another environment. */
export function foreignParts(name, config) {
  const found = [];
  for (const { binding, service } of config.services ?? []) {
    if (binding === DEVELOPMENT_ONLY || /sandbox/i.test(service))
      found.push(`${name} binds ${binding} to ${service}: only development may.`);
  }
  for (const [key, value] of Object.entries(config.vars)) {
    if (/sandbox/i.test(String(value))) found.push(`${name} has ${key}=${value}: the sandbox is for development.`);
  }
  if (config.vars.ENVIRONMENT !== name) found.push(`${name} says ENVIRONMENT=${config.vars.ENVIRONMENT}: it must say ${name}.`);
  if (name === "production" && config.vars.EMAIL_PROVIDER === "log")
    found.push("production has EMAIL_PROVIDER=log: it would send no mail.");
  for (const { name: limiter, simple } of config.ratelimits ?? []) {
    if (simple.limit > LOOSEST_LIMIT) found.push(`${name} has ${limiter} at ${simple.limit}: that limits nobody.`);
  }
  if (!config.vars.ADMIN_CONSOLE_URL) found.push(`${name} has no ADMIN_CONSOLE_URL: mailed links would lead nowhere.`);
  return found;
}

/** wrangler inherits no bindings and no variables: what was added to development alone would be missed only when it is used. */
export function missingBindings(name, all) {
  const has = new Set(bindings(all[name]));
  const lacks = bindings(all.local).filter((binding) => !has.has(binding) && binding !== DEVELOPMENT_ONLY);
  return lacks.map((binding) => `${name} lacks ${binding}, which development has.`);
}

function bindings(config) {
  const named = [config.d1_databases, config.services ?? [], config.kv_namespaces, config.r2_buckets, config.durable_objects.bindings];
  return [
    ...named.flat().map((each) => each.binding ?? each.name),
    ...(config.ratelimits ?? []).map((each) => each.name),
    ...[config.assets?.binding, config.version_metadata?.binding].filter(Boolean),
    ...Object.keys(config.vars),
  ];
}

const isPlaceholder = (value) => /REPLACE|CHANGE-?ME|^0{8}-(0{4}-){3}\d{12}$|\.(example|invalid|test)\b/i.test(String(value));

/** Values that nobody has filled in yet: with them a deployment would not work. One line each, with what belongs there. */
export function placeholders(config) {
  const values = [...Object.entries(config.vars), ...identities(config)];
  return values.filter(([, value]) => isPlaceholder(value)).map(([key, value]) => `${key} is a placeholder: ${value}. ${belongs(key, config)}`);
}

function belongs(key, config) {
  const what = {
    database_id: `npx wrangler d1 create ${config.d1_databases[0]?.database_name} prints the id.`,
    route: "Put the host of ADMIN_CONSOLE_URL there, or *.BASE_DOMAIN/*.",
    GAS_WEBAPP_URL: "Deploy the script, and put the address of its web app there.",
  }[key];
  return `${what ?? "Put your own value there."} FIRST-DAY.md has the steps.`;
}

/** The secrets without which `/health/ready` fails in an environment. */
export function requiredSecrets(config) {
  const mail = config.vars.EMAIL_PROVIDER === "resend" ? ["RESEND_API_KEY"] : [];
  const widget = config.vars.TURNSTILE_SITE_KEY ? ["TURNSTILE_SECRET"] : [];
  return ["JWT_SECRET", "DATA_KEY", "GAS_HMAC_SECRET", ...mail, ...widget];
}

/** The newest Durable Object migration: Cloudflare goes back across none. */
export const objectMigration = (config) => config.migrations.at(-1)?.tag ?? null;

/** Development's secret of that name, from .dev.vars, or null. */
export function localSecret(name) {
  let text;
  try {
    text = readFileSync(at(".dev.vars"), "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return null;
    throw new Failure(`.dev.vars can't be read: ${error.message}`);
  }
  const value = [...text.matchAll(/^\s*(?:export\s+)?([A-Z_]+)\s*=\s*(.*?)\s*$/gm)].filter(([, key]) => key === name).at(-1)?.[2];
  return value?.replace(/^(["'])(.*)\1$/, "$2") || null;
}
