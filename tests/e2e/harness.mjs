// The built product and its sandbox in the real runtime, for one test file: nothing is persisted, nothing is shared with another.
//
//   const h = await startHarness();
//   after(() => h.close());
//   const tenant = await h.signup({ plan: "pro" });
//   await h.confirm(tenant);
//   assert.equal((await h.settled(tenant)).status, "completed");
//
// Run the tests with `npm run test:e2e`, which builds what is loaded here.
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { client, until } from "../client.mjs";

export { tenantForm, makeWebhook, token, until } from "../client.mjs";

// No network, no telemetry: set before wrangler is loaded.
Object.assign(process.env, { WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false", X_LOCAL_OBSERVABILITY: "false" });
const { createTestHarness, unstable_readConfig: readConfig } = await import("wrangler");

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SANDBOX = "tenantry-sandbox";
const SQL = "tenantry-test-sql";

/** Known to both Workers, or to the tests that sign tokens. */
const SECRETS = {
  JWT_SECRET: "end-to-end tests sign with this key",
  GAS_HMAC_SECRET: "end-to-end tests sign Apps Script calls with this",
  RESEND_API_KEY: "re_end_to_end",
  DATA_KEY: Buffer.alloc(32, 7).toString("base64"),
  METRICS_TOKEN: "end-to-end metrics token",
};
/** What a developer may have added to .dev.vars must not change a test: empty counts as absent. */
const ABSENT = {
  JWT_SECRET_NEXT: "",
  JWT_SECRET_PREVIOUS: "",
  GOOGLE_SERVICE_ACCOUNT_KEY: "",
  CLOUDFLARE_API_TOKEN: "",
  TURNSTILE_SECRET: "",
  DATA_KEY_PREVIOUS: "",
  PLATFORM_WEBHOOK_URL: "",
  PLATFORM_WEBHOOK_SECRET: "",
  PLATFORM_WEBHOOK_SECRET_PREVIOUS: "",
};

/**
 * `vars` and `secrets` override the configuration's. `env` picks another environment of wrangler.toml (its limits, its vars), still with
 * the sandbox as EGRESS. `productDirectory` holds another bundle of the product (instrumented.mjs makes one). `configPath` is another
 * configuration for it, and `workers` run beside it. `egress` names the one of them that stands before the sandbox.
 */
export async function startHarness({ vars = {}, secrets = {}, env, ...other } = {}) {
  const { productDirectory = "build/bundles/product", configPath = "wrangler.toml", workers = [], egress = SANDBOX } = other;
  const ours = { ...SECRETS, ...secrets };
  const { compatibility_date, d1_databases } = readConfig({ config: `${ROOT}wrangler.toml`, env }, { hideWarnings: true });
  const server = createTestHarness({
    root: ROOT,
    workers: [
      {
        configPath,
        env,
        prebuiltWorkerDir: productDirectory,
        vars,
        secrets: { ...ABSENT, ...ours },
        bindingOverrides: { EGRESS: egress },
      },
      {
        configPath: "scripts/sandbox/wrangler.toml",
        prebuiltWorkerDir: "build/bundles/sandbox",
        secrets: { ...ABSENT, ...ours },
      },
      { config: { name: SQL, main: "tests/e2e/sql.js", compatibility_date, d1_databases } },
      ...workers,
    ],
  });
  const { url } = await server.listen();
  const product = server.getWorker();
  const sandbox = server.getWorker(SANDBOX);
  const database = server.getWorker(SQL);
  const doors = [];
  await product.applyD1Migrations("DB");

  /** Runs one statement on D1 and answers its rows. */
  async function sql(statement, ...params) {
    const body = JSON.stringify({ statement, params });
    const answer = await database.fetch("http://sql.localhost/", { method: "POST", body });
    const { results, error } = await answer.json();
    if (error !== undefined) throw new Error(`${error}: ${statement}`);
    return results;
  }

  const mailsLeft = () =>
    until(async () => (await sql("select count(*) as n from mails where status = 'pending'"))[0].n === 0, { what: "the mails to leave" });

  /** Serves the sandbox on a port of its own, for who asks it over HTTP as under `npm start`; answers the port. */
  async function serveSandbox() {
    const door = createServer(async ({ method, url: path }, response) => {
      const answer = await sandbox.fetch(new URL(path, "http://sandbox.localhost"), { method });
      response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "text/plain" }).end(await answer.text());
    });
    doors.push(door);
    await new Promise((done) => door.listen(0, "127.0.0.1", done));
    return String(door.address().port);
  }

  return {
    ...client({
      url,
      secret: ours.JWT_SECRET,
      sandboxFetch: (path, init) => sandbox.fetch(new URL(path, "http://sandbox.localhost"), init),
    }),
    url,
    server,
    product,
    secrets: ours,
    sql,
    /** Waits until no mail is on its way. */
    mailsLeft,
    /**
     * Every row of every table in D1, by the table's name, once the mails have left; but not how many requests there were, which moves by
     * itself.
     */
    async dump() {
      await mailsLeft();
      const tables = await sql("select name from sqlite_master where type = 'table' and name not glob '_cf_*' and name <> 'request_counts' order by name");
      return Object.fromEntries(await Promise.all(tables.map(async ({ name }) => [name, await sql(`select * from "${name}"`)])));
    },
    /** The objects that the Workers logged, oldest first, each with its console level; other output as `{text}`. */
    logs: () => server.getLogs().map(({ level, message }) => ({ console: level, ...logged(message) })),
    clearLogs: () => server.clearLogs(),
    /** Drops the tenant's object from memory once it is idle; one that is at work is waited for. See instrumented.mjs for a reset. */
    evict: (tenantId) => product.evictDurableObject("PROVISIONER", { name: tenantId }),
    /** Starts the product anew with these vars and secrets besides what it has; the database, the objects and the sandbox stay. */
    reconfigure: ({ vars = {}, secrets = {} }) =>
      server.update(({ workers: [first, ...others], ...options }) => ({
        ...options,
        workers: [{ ...first, vars: { ...first.vars, ...vars }, secrets: { ...first.secrets, ...secrets } }, ...others],
      })),
    /** The cron trigger. */
    sweep: () => product.scheduled({ cron: "* * * * *" }),
    serveSandbox,
    async close() {
      for (const door of doors) {
        door.closeAllConnections();
        door.close();
      }
      await server.close();
    },
  };
}

const apart = createContext({});

/** The runtime hands a logged object over as JavaScript source, the way a console prints it. */
function logged(message) {
  if (!message.startsWith("{")) return { text: message };
  try {
    // Copied, so that its lists are lists here too.
    return JSON.parse(JSON.stringify(runInContext(`(${message})`, apart)));
  } catch {
    return { text: message };
  }
}
