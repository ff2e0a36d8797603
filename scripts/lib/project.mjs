// Where things are, how a script speaks, and how it runs another program. Node's built-ins only: used before anything is installed.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { delimiter, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = resolve(fileURLToPath(import.meta.url), "../../..");
export const at = (...parts) => join(ROOT, ...parts);

/** npm's Node 24, a development dependency: wrangler needs 22.12 or newer, whatever the machine has. */
export const NODE = at("node_modules/node/bin/node");
export const WRANGLER = at("node_modules/wrangler/bin/wrangler.js");

/** No network, no telemetry, no update check: a local run must not depend on the outside. */
export const QUIET_WRANGLER = {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_HIDE_BANNER: "true",
  WRANGLER_NO_SKILLS_UPDATE_PROMPTS: "true",
  WRANGLER_LOG_PATH: at(".wrangler/logs"),
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  // wrangler dev would keep a trace of every call, with the whole address of webhooks, in v3/observability of the state.
  X_LOCAL_OBSERVABILITY: "false",
};

/** A failure whose message is the one line that says what to do. */
export class Failure extends Error {}

export const say = (line) => process.stdout.write(`· ${line}\n`);

/**
 * What others wrote, for a terminal: nothing in it moves the cursor, changes colours, the direction of reading, or what stands before it.
 * Line breaks and tabs stay.
 */
export const harmless = (text) => text.replaceAll(/[^\P{C}\n\t]|[\u2028\u2029]/gu, escaped);

const escaped = (character) => {
  const code = character.codePointAt(0).toString(16);
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, "0")}`;
};

/** Ends a script: a known failure is its one line, anything else keeps its stack. */
export function exitWith(error) {
  process.stderr.write(`${error instanceof Failure ? `✗ ${error.message}` : error.stack}\n`);
  process.exit(1);
}

/** Prints the comment at the top of a script, for its --help, and ends. */
export function help(script) {
  const [, comment] = /^(?:#!.*\n)?((?:\/\/.*\n)+)/.exec(readFileSync(new URL(script), "utf8"));
  process.stdout.write(comment.replaceAll(/^\/\/ ?/gm, ""));
  process.exit(0);
}

/** Before anything is installed or asked. */
export function helpIfAsked(script) {
  if (process.argv.includes("--help")) help(script);
}

/** For a script without arguments: a mistaken argument would otherwise be ignored. */
export function noArguments(script) {
  const [first] = process.argv.slice(2);
  if (first === "--help") help(script);
  if (first !== undefined) exitWith(new Failure(`${first}: this takes no arguments. See --help.`));
}

/** Runs a program with its output visible; rejects with `advice` when it fails. */
export function run(command, args, { env = {}, cwd = ROOT, advice, input = "inherit", passes = [0] } = {}) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd, stdio: [input, "inherit", "inherit"], env: withBins(env) });
    const name = `${command.split("/").pop()} ${args.slice(0, 2).join(" ")}`.trim();
    child.on("error", (error) => fail(new Failure(advice ?? `${name}: ${error.message}`)));
    child.on("exit", (code, signal) =>
      passes.includes(code) ? done(code) : fail(new Failure(advice ?? `\`${name}\` failed (${signal ?? `exit code ${code}`}): see its output above.`)),
    );
  });
}

/** What a program prints, or null when it can't be run or fails. */
export function capture(command, args) {
  return new Promise((done) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ["ignore", "pipe", "ignore"], env: withBins({}) });
    let text = "";
    child.stdout.on("data", (chunk) => (text += chunk));
    child.on("error", () => done(null));
    child.on("close", (code) => done(code === 0 ? text : null));
  });
}

/** Our packages' programs come first on PATH, as inside `npm run`. */
export function withBins(env) {
  return { ...process.env, PATH: `${at("node_modules/.bin")}${delimiter}${process.env.PATH}`, ...env };
}

/** One hash over files and folders: equal hashes, equal inputs. What is missing counts too. */
export function fingerprint(paths, extra = "") {
  const hash = createHash("sha256").update(extra);
  for (const path of paths) {
    for (const file of filesUnder(at(path))) {
      hash.update(`\0${relative(ROOT, file)}\0`).update(contents(file));
    }
  }
  return hash.digest("hex");
}

/** Nothing where an editor's temporary file is gone again. */
function contents(file) {
  try {
    return readFileSync(file);
  } catch (error) {
    if (error.code === "ENOENT") return "";
    throw error;
  }
}

function filesUnder(path) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true })
    .map((name) => join(path, name))
    .filter((file) => !/[\\/](node_modules|\.wrangler)[\\/]/.test(file) && statSync(file, { throwIfNoEntry: false })?.isFile())
    .sort();
}

/** Whether the stamp at `path` says exactly this. */
export const stamped = (path, text) => existsSync(path) && readFileSync(path, "utf8") === text;
