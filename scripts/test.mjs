// `npm test`: sets up what is missing and runs every test. With names after it, only those suites: host, scale, e2e, crash, fuzz, browser.
// After e2e, crash or browser, the names of files run only those: `npm run test:e2e -- abuse hostile-tokens`.
import { join } from "node:path";
import { Failure, NODE, QUIET_WRANGLER, at, exitWith, help, run, say } from "./lib/project.mjs";
import { pythonClient } from "./lib/build.mjs";
import { prepare } from "./lib/prepare.mjs";
import { startService } from "./lib/service.mjs";
import * as setup from "./lib/setup.mjs";
import { choice, pathsOf } from "./lib/suites.mjs";

const SUITES = {
  /** Routes, store and workflow against real SQLite, and everything with a rule. */
  host: () => run("cargo", ["test", "--locked"], { advice: "The host tests failed: see above, or run `npm run test:host`." }),
  /** The model of how much the service takes, against what is known without it. */
  scale: () => nodeTests("scale"),
  /** The built Worker in the real runtime. */
  e2e: async () => nodeTests("e2e", { PROMTOOL: await setup.promtool(), PYTHON: join(await pythonClient(), "python") }),
  /** The whole runtime killed while it provisions. */
  crash: () => nodeTests("crash"),
  /** The service driven by its own document, by an independent reader of it. */
  async fuzz() {
    const SCHEMATHESIS = await setup.schemathesis();
    const service = await startService();
    try {
      const { url: BASE_URL, sandboxUrl: SANDBOX_URL, secrets } = service;
      await run(NODE, [at("tests/fuzz/fuzz.mjs")], {
        env: { SCHEMATHESIS, BASE_URL, SANDBOX_URL, JWT_SECRET: secrets.JWT_SECRET },
        advice: "The service and its document differ: see above, or run `npm run test:fuzz`.",
      });
    } finally {
      await service.stop();
    }
  },
  /** The pages in Chromium, against a service of their own. */
  async browser() {
    const CHROMIUM = await setup.chromium();
    const service = await startService();
    try {
      await nodeTests("browser", { CHROMIUM, BASE_URL: service.url, SANDBOX_URL: service.sandboxUrl });
    } finally {
      await service.stop();
    }
  },
};

const asked = process.argv.slice(2);
if (asked.includes("--help")) help(import.meta.url);
const { names, files } = choiceOrEnd();

await prepare("secrets", ...(names.some((name) => !["host", "scale"].includes(name)) ? ["bundles"] : []));
try {
  for (const name of names) {
    say(`Tests: ${[name, ...files].join(" ")} …`);
    await SUITES[name]();
  }
} catch (error) {
  exitWith(error);
}

function choiceOrEnd() {
  try {
    return choice(asked, Object.keys(SUITES));
  } catch (error) {
    return exitWith(error);
  }
}

/** Two files at a time: each starts a runtime of its own, and the machine may have two cores. */
function nodeTests(suite, env = {}) {
  const paths = pathsOf(suite, files);
  if (paths.length === 0) throw new Failure(`There are no tests in tests/${suite}.`);
  return run(NODE, ["--test", "--test-concurrency=2", "--test-reporter=spec", ...paths], {
    env: { ...QUIET_WRANGLER, ...env },
    advice: `The ${suite} tests failed: see above, or run \`npm run test:${suite}\`.`,
  });
}
