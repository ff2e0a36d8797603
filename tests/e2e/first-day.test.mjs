// FIRST-DAY.md, walked from its first block to its last against a wrangler that records: after each step the dry run of the deployment has
// less to refuse, and at the end nothing. A command that the stand-ins do not know fails the walk.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeCheckout } from "./checkout.mjs";
import { blocksOf, callsIn, commandsOf, paste } from "./runbook.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const STAND_IN = fileURLToPath(new URL("recording-wrangler.mjs", import.meta.url));
const blocks = blocksOf(readFileSync(join(ROOT, "FIRST-DAY.md"), "utf8"));
const walked = blocks.filter(({ kind }) => kind === "walked");

const directory = mkdtempSync(join(tmpdir(), "tenantry-first-day-"));
after(() => rmSync(directory, { recursive: true, force: true }));

/** What somebody fills in, for each environment. */
const FILLED = {
  production: { ZONE: "clubs-of.org", HOST: "clubs-of.org" },
  preview: { ZONE: "clubs-of.org", HOST: "preview.clubs-of.org" },
};

/** What is still to be done after each step, as the dry run of the deployment says it. */
const LEFT = {
  "1. Sign in": ["GAS_WEBAPP_URL", "database_id", "route", "secrets"],
  "2. The database": ["GAS_WEBAPP_URL", "route", "secrets"],
  "3. Secrets": ["GAS_WEBAPP_URL", "route", "secrets"],
  "4. The address of the service": ["GAS_WEBAPP_URL", "route", "secrets"],
  "5. The clubs' addresses": ["GAS_WEBAPP_URL", "secrets"],
  "6. Mail": ["GAS_WEBAPP_URL"],
  "7. Apps Script": [],
  "9. Deploy": [],
};

/** A checkout in which every program that would reach outside is a stand-in. */
function placeOf(environment) {
  const there = makeCheckout(join(directory, environment));
  const asked = there.path(".asked");
  const bin = there.path("node_modules/.bin");
  const program = (name, code) => {
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, name), `#!/usr/bin/env bash\n${code}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  const record = `printf '%s\\n' "$(basename "$0") $*" >>"${asked}/log"`;
  const unknown = `printf 'refused: %s\\n' "$(basename "$0") $*" >>"${asked}/log"; exit 1`;
  program("wrangler", `exec node "${STAND_IN}" "${asked}" "$@"`);
  program("npx", `[ "$1" = wrangler ] || { ${unknown}; }\nexec "$@"`);
  program("npm", `${record}\ncase "$*" in\n  install | "run lint" | test | "run build") ;;\n  "run deploy -- "*) exec node scripts/deploy.mjs "\${@:4}" ;;\n  *) ${unknown} ;;\nesac`);
  for (const name of ["curl", "dig", "git-push"]) program(name, unknown);
  writeFileSync(
    there.path("scripts/smoke-test.sh"),
    `#!/usr/bin/env bash\n${record}\nprintf 'addresses: %s %s %s\\n' "$WORKER_URL" "$ADMIN_CONSOLE_URL" "$BASE_DOMAIN" >>"${asked}/log"\n[ -n "$PLATFORM_ADMIN_JWT" ] && [ -n "$SMOKE_WEBHOOK_URL" ]\n`,
  );
  there.git("commit", "--quiet", "--all", "--message", "Stand-ins");
  return { ...there, bin, log: () => readFileSync(join(asked, "log"), "utf8").trim().split("\n") };
}

/** As one shell goes on from block to block: what one exports, the next has. With `look`, each step is followed by a dry run. */
async function walk(environment, look) {
  const there = placeOf(environment);
  const vault = join(directory, `${environment}-vault`);
  const hook = "https://hook.eu2.make.com/abcdefghijklmnop";
  const env = {
    PATH: `${there.bin}:${dirname(process.execPath)}:${process.env.PATH}`,
    HOME: directory,
    NODE_COMPILE_CACHE: join(directory, "compiled"),
    ...Object.fromEntries(["AUTHOR", "COMMITTER"].flatMap((who) => [[`GIT_${who}_NAME`, "Test"], [`GIT_${who}_EMAIL`, "test@example.org"]])),
    ...FILLED[environment],
    ENV: environment,
    MAIL_FROM: "Clubs <welcome@clubs-of.org>",
    VAULT: vault,
    WORKER_URL: `https://${FILLED[environment].HOST}`,
    GAS_WEBAPP_URL: "https://script.google.com/macros/s/AKfycbx_1-2/exec",
    SMOKE_WEBHOOK_URL: hook,
    SMOKE_WEBHOOK_SECRET: "the-secret-of-the-scenario",
    SMOKE_EMAIL: "me@clubs-of.org",
  };
  const steps = [];
  for (const { heading, line, code } of walked) {
    if (heading === "6. Mail") writeFileSync(join(vault, "RESEND_API_KEY"), "re_of_the_account\n");
    const exported = join(directory, `${environment}-exported`);
    const { status, stdout, stderr } = await paste(`${code}\nenv -0 >"${exported}"`, { env, cwd: there.root });
    assert.equal(status, 0, `${heading}, line ${line}:\n${stdout}\n${stderr}\n${there.log().join("\n")}`);
    for (const pair of readFileSync(exported, "utf8").split("\0").filter(Boolean)) {
      const [name, ...value] = pair.split("=");
      env[name] = value.join("=");
    }
    if (look) steps.push({ heading, left: await left(there, env) });
  }
  return { there, env, vault, steps };
}

/** What the dry run still refuses, without what has to be committed first. */
async function left(there, env) {
  const before = existsSync(there.path(".asked/log")) ? there.log().length : 0;
  const code = `node --input-type=module -e '
    import { configuration, placeholders } from "./scripts/lib/environments.mjs";
    const found = placeholders(await configuration(process.env.ENV));
    for (const line of found) console.log("placeholder " + line.split(" ")[0]);
  '
  npm run deploy -- --env $ENV --dry-run || true`;
  const { stdout, stderr } = await paste(code, { env, cwd: there.root });
  const changed = there.log().slice(before).filter((line) => /^wrangler (deploy |secret put|d1 (create|migrations))/.test(line));
  assert.deepEqual(changed, [], "a dry run changes nothing");
  const placeholders = [...new Set([...stdout.matchAll(/^placeholder (\w+)/gm)].map(([, key]) => key))].sort();
  assert.equal(/✗ wrangler\.toml, \w+: .* is a placeholder: .*FIRST-DAY\.md/.test(`${stdout}${stderr}`), placeholders.length > 0, stdout);
  return [...placeholders, ...(/✗ [A-Z_, ]+ missing: npx wrangler secret put/.test(stdout) ? ["secrets"] : [])];
}

describe("the first day", { concurrency: 2 }, () => {
  for (const environment of ["production", "preview"]) {
    test(`is walked to a deployed ${environment}, with less left to do after each step`, async () => {
      const { there, env, vault, steps } = await walk(environment, environment === "production");
      if (environment === "production") assert.deepEqual(Object.fromEntries(steps.map(({ heading, left }) => [heading, left])), LEFT);
      const log = there.log();
      assert.deepEqual(log.filter((line) => line.startsWith("refused:")), [], "an unknown command");

      const { databases, secrets, deployed } = JSON.parse(readFileSync(there.path(".asked/state.json"), "utf8"));
      const names = ["JWT_SECRET", "DATA_KEY", "GAS_HMAC_SECRET", "METRICS_TOKEN", "RESEND_API_KEY"];
      assert.deepEqual(Object.keys(secrets[environment]).sort(), names.sort());
      for (const name of names) assert.equal(readFileSync(join(vault, name), "utf8").trim(), secrets[environment][name]);
      assert.ok(secrets[environment].JWT_SECRET.length >= 32 && Buffer.from(secrets[environment].DATA_KEY, "base64").length === 32);
      assert.match(deployed[environment], /^[0-9a-f]{12}$/);

      const { HOST, ZONE } = env;
      const toml = readFileSync(there.path("wrangler.toml"), "utf8");
      const block = toml.slice(toml.indexOf(`[env.${environment}]`)).split("\n# ---")[0];
      for (const wanted of [
        `{ pattern = "${HOST}", custom_domain = true }`,
        `{ pattern = "*.${HOST}/*", zone_name = "${ZONE}" }`,
        `ADMIN_CONSOLE_URL = "https://${HOST}"`,
        `BASE_DOMAIN = "${HOST}"`,
        `RESEND_FROM_EMAIL = "Clubs <welcome@clubs-of.org>"`,
        `GAS_WEBAPP_URL = "${env.GAS_WEBAPP_URL}"`,
        `database_id = "${databases[0].uuid}"`,
      ]) {
        assert.ok(block.includes(wanted), `${wanted}\n${block}`);
      }
      assert.doesNotMatch(block, /REPLACE/);
      const [other] = ["production", "preview"].filter((name) => name !== environment);
      const others = toml.slice(toml.indexOf(`[env.${other}]`)).split("\n# ---")[0];
      assert.doesNotMatch(others, /clubs-of/, "the other environment is left as it was");

      // The deployment is in its order, and its smoke test is told which addresses have to lead to it.
      const order = ["wrangler d1 migrations apply", "wrangler deploy --strict", `smoke-test.sh ${environment}`].map((start) => log.findIndex((line) => line.startsWith(start)));
      assert.ok(order.every((at, index) => at > (order[index - 1] ?? 0)), log.join("\n"));
      const told = log.filter((line) => line.startsWith("addresses:"));
      assert.deepEqual(told, [0, 1].map(() => `addresses: https://${HOST} https://${HOST} ${HOST}`));
      assert.equal(there.git("status", "--porcelain"), "");
    });
  }

  test("names every step in its order", () => {
    assert.deepEqual(
      [...new Set(blocks.map(({ heading }) => heading))],
      ["The first day", "1. Sign in", "2. The database", "3. Secrets", "4. The address of the service", "5. The clubs' addresses", "6. Mail", "7. Apps Script", "8. Make", "9. Deploy"],
    );
    assert.deepEqual([...new Set(blocks.map(({ language, kind }) => `${language} ${kind}`))].sort(), ["sh filled", "sh walked"]);
  });

  test("uses commands and flags of wrangler that there are", () => {
    const calls = new Map();
    for (const { code } of walked) {
      for (const command of commandsOf(code.replaceAll(/^\s*for .*; do\n|^\s*done\n?/gm, ""))) {
        for (const { program, words, flags } of callsIn(command)) {
          if (program === "wrangler") calls.set(words.filter((word) => /^[a-z0-9]+$/.test(word)).slice(0, 2).join(" "), flags);
        }
      }
    }
    assert.ok(calls.size >= 4, [...calls.keys()].join(", "));
    for (const [words, flags] of calls) {
      const help = execFileSync(process.execPath, [join(ROOT, "node_modules/wrangler/bin/wrangler.js"), ...words.split(" "), "--help"], {
        encoding: "utf8",
        env: { PATH: process.env.PATH, HOME: directory, WRANGLER_SEND_METRICS: "false", WRANGLER_LOG_PATH: directory },
      });
      assert.match(help, new RegExp(`wrangler ${words}`));
      for (const name of flags) assert.ok(help.includes(`${name} `) || help.includes(`${name},`), `wrangler ${words} ${name}`);
    }
  });

  test("the stand-in refuses what it does not know", async () => {
    const folder = mkdtempSync(join(directory, "unknown-"));
    for (const command of ["d1 destroy x", "login; d1 creat x", "login; secret put A --env staging </dev/null", "d1 create x"]) {
      const { status, stderr } = await paste(command.replaceAll(/(^|; )/g, `$1node "${STAND_IN}" "${folder}" `), { cwd: folder });
      assert.equal(status, 1, command);
      assert.match(stderr, /✘ \[ERROR\]/);
      rmSync(join(folder, "state.json"), { force: true });
    }
    assert.deepEqual(readdirSync(folder), ["log"]);
  });
});
