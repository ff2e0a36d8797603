// A wrangler for an account in a file: it takes down what it is asked, remembers what was made, and knows no command but these. What the
// real one refuses, it refuses too.
//
//   node recording-wrangler.mjs FOLDER COMMAND…      FOLDER has state.json and, one command a line, log
import { appendFileSync, existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const [folder, ...words] = process.argv.slice(2);
const file = join(folder, "state.json");
const state = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { databases: [], secrets: {}, migrated: [], deployed: {} };
const ENVIRONMENTS = ["preview", "production"];

appendFileSync(join(folder, "log"), `wrangler ${words.join(" ")}\n`);
const said = run();
writeFileSync(file, JSON.stringify(state));
if (said !== undefined) process.stdout.write(`${typeof said === "string" ? said : JSON.stringify(said)}\n`);

function refuse(why) {
  appendFileSync(join(folder, "log"), `refused: ${why}\n`);
  process.stderr.write(`✘ [ERROR] ${why}\n`);
  process.exit(1);
}

/** What stands behind a flag that must be there. */
function flag(name) {
  const value = words[words.indexOf(name) + 1];
  if (!words.includes(name) || !value) refuse(`Missing required argument: ${name}`);
  return value;
}

function environment() {
  const name = flag("--env");
  if (!ENVIRONMENTS.includes(name)) refuse(`No environment found in configuration with name "${name}".`);
  return name;
}

function signedIn() {
  if (!state.signedIn) refuse("You are not logged in.");
}

function run() {
  const command = words.slice(0, words.findIndex((word) => word.startsWith("-")) >>> 0).join(" ");
  if (command === "login") return void (state.signedIn = true);
  if (command === "whoami") return words.includes("--json") ? { loggedIn: state.signedIn === true } : "You are logged in.";
  signedIn();
  const [, name] = /^d1 create ([\w-]+)$/.exec(command) ?? [];
  if (name) {
    if (state.databases.some((each) => each.name === name)) refuse("A database with that name already exists");
    state.databases.push({ uuid: crypto.randomUUID(), name, version: "production" });
    return "✅ Successfully created DB";
  }
  if (command === "d1 list") return state.databases;
  const [, secret] = /^secret put ([A-Z_]+)$/.exec(command) ?? [];
  if (secret) {
    const value = readFileSync(0, "utf8").trim();
    if (value === "") refuse("The secret is empty.");
    (state.secrets[environment()] ??= {})[secret] = value;
    return "✨ Success!";
  }
  if (command === "secret list") return Object.keys(state.secrets[environment()] ?? {}).map((each) => ({ name: each, type: "secret_text" }));
  if (command === "d1 migrations apply DB" && flag("--remote") && environment()) {
    state.migrated = readdirSync("migrations").map((each) => ({ name: each }));
    return "🌀 Executed";
  }
  if (command === "d1 execute DB" && flag("--remote") && environment()) return [{ success: true, results: state.migrated }];
  if (command === "deploy") {
    state.deployed[environment()] = flag("--tag");
    return "Deployed";
  }
  const running = { created_on: "2026-01-01T00:00:00Z", versions: [{ version_id: "first", percentage: 100 }] };
  if (command === "deployments list") return state.deployed[environment()] ? [running] : [];
  if (command === "versions view first") return { id: "first", annotations: { "workers/tag": state.deployed[environment()] } };
  return refuse(`Unknown arguments: ${words.join(" ")}`);
}
