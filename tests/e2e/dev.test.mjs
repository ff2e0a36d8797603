// `npm run dev` in a checkout of its own, with the real runtime. In place of the compiler, a stand-in whose Worker answers what the
// source says, and which refuses a source that says "broken".
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fingerprint } from "../../scripts/lib/project.mjs";
import { freePort } from "../../scripts/lib/runtime.mjs";
import { makeCheckout } from "./checkout.mjs";

const directory = mkdtempSync(join(tmpdir(), "tenantry-dev-"));
after(() => rmSync(directory, { recursive: true, force: true }));
const there = makeCheckout(join(directory, "checkout"), { real: true });

const write = (path, text, mode) => {
  mkdirSync(dirname(there.path(path)), { recursive: true });
  writeFileSync(there.path(path), text);
  if (mode) chmodSync(there.path(path), mode);
};

/** What would be bound to the compiled module. */
const bound = (says) => `
export class Provisioner {
    fetch() {
        return new Response("");
    }
}
export class CircuitBreaker {
    fetch() {
        return new Response("");
    }
}
export function __worker_init_state() {
    return { criticalError: false, instanceId: 0 };
}
export function fetch() {
    return new Response(${JSON.stringify(says)});
}
`;

test("npm run dev follows the sources, through one that does not compile, until it is told to end", { timeout: 120_000 }, async () => {
  write("Cargo.toml", '[package]\nrust-version = "1.91"\n');
  write("public/hello.txt", "a page");
  write("programs/rustc", '#!/bin/sh\ncase "$*" in *libdir*) echo / ;; *) echo "rustc 1.95.0 (abc 2026-01-01)" ;; esac\n', 0o755);
  write(
    "programs/cargo",
    `#!/bin/sh
case "$1" in --version) exit 0 ;; esac
if grep -q broken src/lib.rs; then echo "error: expected one of"; exit 101; fi
mkdir -p target/wasm32-unknown-unknown/debug && cp src/lib.rs target/wasm32-unknown-unknown/debug/tenantry.wasm
`,
    0o755,
  );
  const sources = ["scripts/bindgen/Cargo.toml", "scripts/bindgen/Cargo.lock", "scripts/bindgen/src"];
  write(`cache/tenantry/bindgen-${fingerprint(sources).slice(0, 16)}/bindgen`, '#!/bin/sh\ncp "$1" "$2/index.js" && : >"$2/index_bg.wasm"\n', 0o755);
  const save = (says) => write("src/lib.rs", says === "broken" ? says : bound(says));
  save("first");

  const [port, sandboxPort] = [await freePort(), await freePort()];
  const child = spawn(process.execPath, [there.path("scripts/dev.mjs")], {
    cwd: there.root,
    // Not CARGO_TARGET_DIR: the stand-in puts its product into the checkout.
    env: { HOME: there.root, PATH: `${there.path("programs")}:${process.env.PATH}`, XDG_CACHE_HOME: there.path("cache"), PORT: port, SANDBOX_PORT: sandboxPort },
  });
  after(() => child.kill("SIGKILL"));
  let printed = "";
  let heard = () => {};
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (chunk) => {
      printed += chunk;
      heard();
    });
  const ended = new Promise((done) => child.once("exit", (code) => {
      done(code);
      heard();
    }));
  /** Once all are printed after what was printed before. Two streams are read: their lines come in any order. */
  const says = async (...patterns) => {
    while (!patterns.every((pattern) => pattern.test(printed))) {
      assert.equal(child.exitCode, null, printed);
      await new Promise((done) => (heard = done));
    }
    printed = "";
  };
  const answer = async (path = "/health") => (await fetch(`http://127.0.0.1:${port}${path}`)).text();

  await says(/Ctrl-C stops both/);
  assert.equal(await answer(), "first");
  assert.equal(await answer("/hello.txt"), "a page");

  // A lock as Emacs makes one: a link to nothing.
  symlinkSync("somebody@somewhere", there.path("src/.#lib.rs"));
  save("second");
  await says(/Serving what was saved \d+ s ago/);
  assert.equal(await answer(), "second");

  save("broken");
  await says(/error: expected one of/, /✗ The Worker could not be compiled/, /· What was served before goes on/);
  assert.equal(await answer(), "second");

  save("third");
  await says(/Serving what was saved \d+ s ago/);
  assert.equal(await answer(), "third");
  assert.deepEqual(readdirSync(there.path("build/dev")).sort(), ["0", "1"]);

  child.kill("SIGINT");
  assert.equal(await ended, 0, printed);
  for (const each of [port, sandboxPort]) await assert.rejects(fetch(`http://127.0.0.1:${each}/`));
});
