// `npm run lint`: formatting, lints and documentation without a warning, in every language; configurations that wrangler accepts.
import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { clientTypes, pythonClient } from "./lib/build.mjs";
import { configurations as environments, problems } from "./lib/environments.mjs";
import { Failure, NODE, QUIET_WRANGLER, WRANGLER, at, capture, exitWith, noArguments, run, say } from "./lib/project.mjs";
import { prepare } from "./lib/prepare.mjs";
import { lastDeployed, migrationProblem } from "./lib/release.mjs";
import { CONFIG } from "./lib/runtime.mjs";
import * as setup from "./lib/setup.mjs";

noArguments(import.meta.url);
await prepare("worker");
try {
  await setup.rust();
  await rustComponents();
  say("cargo fmt --check");
  const crates = [[], ["--manifest-path", "scripts/bindgen/Cargo.toml"]];
  for (const crate of crates) await run("cargo", ["fmt", "--check", ...crate], { advice: `Formatting differs: run \`cargo fmt ${crate.join(" ")}\`.` });
  for (const target of [["--all-targets"], ["--target", "wasm32-unknown-unknown"]]) {
    say(`cargo clippy ${target.join(" ")}`);
    await run("cargo", ["clippy", "--locked", ...target, "--", "-D", "warnings"]);
  }
  say("cargo doc");
  await run("cargo", ["doc", "--locked", "--no-deps", "--document-private-items"], { env: { RUSTDOCFLAGS: "-D warnings" } });
  await scripts();
  await document();
  await configurations();
  await promises();
  say("Lint passed");
} catch (error) {
  exitWith(error);
}

/** Part of rustup's default profile, absent from its minimal one. */
async function rustComponents() {
  for (const [component, program] of [["rustfmt", "fmt"], ["clippy", "clippy"]]) {
    if ((await capture("cargo", [program, "--version"])) !== null) continue;
    await run("rustup", ["component", "add", component], { advice: `Run \`rustup component add ${component}\`.` });
  }
}

/** Biome checks JavaScript and CSS, tsc the Apps Script, and ShellCheck the shell scripts. */
async function scripts() {
  // To tsc a .gs is no JavaScript.
  mkdirSync(at("build/apps-script"), { recursive: true });
  copyFileSync(at("integrations/apps-script/Code.gs"), at("build/apps-script/Code.js"));
  say("tsc, integrations/apps-script");
  await run(NODE, [at("node_modules/typescript/bin/tsc"), "--project", "scripts/lib/apps-script.tsconfig.json"], {
    advice: "The script in integrations/apps-script does not fit Google's objects: see above.",
  });
  say("biome lint");
  await run(NODE, [at("node_modules/@biomejs/biome/bin/biome"), "lint", "--error-on-warnings"], {
    advice: "Biome found something: see above. biome.json has its rules.",
  });
  const shell = [".ci/run", ...["scripts", "tests", "public"].flatMap(shellScripts)];
  say(`shellcheck, ${shell.length} files`);
  for (const file of shell) await run("bash", ["-n", at(file)], { advice: `${file} does not parse: see above.` });
  await run(await setup.shellcheck(), shell, { advice: "ShellCheck found something: see above, and its wiki for each number." });
}

function shellScripts(folder) {
  const names = readdirSync(at(folder), { recursive: true });
  return names.filter((name) => name.endsWith(".sh")).map((name) => `${folder}/${name}`);
}

/**
 * Three readers, in three languages, accept the API's document and its twin in OpenAPI 3.0. Clients that are generated from it fit the code
 * that uses them. The host tests check that the service does what the document says.
 */
async function document() {
  const documents = ["public/openapi.json", "public/openapi-3.0.json"];
  const advice = "The document breaks a rule: mend what it is made of, in tests/api/openapi, then run `npm run openapi`.";
  say(`redocly, spectral and openapi-spec-validator, ${documents.join(" and ")}`);
  await run(NODE, [at("node_modules/@redocly/cli/bin/cli.js"), "lint", ...documents, "--config", "scripts/lib/redocly.yaml"], {
    env: { REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" },
    advice,
  });
  const spectral = at("node_modules/@stoplight/spectral-cli/dist/index.js");
  await run(NODE, [spectral, "lint", ...documents, "--ruleset", "scripts/lib/spectral.yaml", "--fail-severity", "hint"], { advice });
  const tools = await pythonClient();
  await run(join(tools, "openapi-spec-validator"), documents, { advice });
  say("mypy, a Python client from public/openapi.json, and the receiver");
  await run(join(tools, "python"), ["-m", "compileall", "-q", "build/python"], { advice: "The generated client does not compile: see above." });
  await run(join(tools, "mypy"), ["--strict", "--no-error-summary", "--cache-dir", "build/.mypy", "tests/e2e/client.py", "integrations/receivers/receiver.py"], {
    env: { MYPYPATH: at("build/python") },
    advice: "The client in tests/e2e/client.py does not fit the document, or the receiver's types are wrong: see above.",
  });
  say("tsc, a client with types from public/openapi.json");
  await clientTypes();
  await run(NODE, [at("node_modules/typescript/bin/tsc"), "--project", "tests/e2e"], {
    advice: "The client in tests/e2e/client.test.mts does not fit the document: see above.",
  });
}

/** wrangler accepts each environment. It warns that preview and production lack EGRESS: see wrangler.toml. */
async function configurations() {
  const all = [[CONFIG.product, ""], [CONFIG.product, "preview"], [CONFIG.product, "production"], [CONFIG.sandbox, ""]];
  for (const [config, environment] of all) {
    const name = `${config.slice(at("").length + 1)}${environment && ` (${environment})`}`;
    say(`wrangler deploy --dry-run, ${name}`);
    await run(NODE, [WRANGLER, "deploy", "--dry-run", "--strict", "--config", config, "--env", environment], {
      env: { ...QUIET_WRANGLER, WRANGLER_LOG: "warn" },
      input: "ignore",
      advice: `wrangler refuses ${name}: see above.`,
    });
  }
}

/** No environment shares a resource with another, or lacks one that development has. Migrations only add. */
async function promises() {
  say("wrangler.toml keeps environments apart, migrations only add");
  const [problem] = [...problems(await environments()), await migrationProblem(await lastDeployed())].filter(Boolean);
  if (problem) throw new Failure(problem);
}
