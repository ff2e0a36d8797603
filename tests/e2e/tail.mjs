// What `wrangler tail --format json` would print of the product: its events, from the real runtime through a tail Worker.
//
//   const h = await startTailed();
//   await h.tail((events) => events.length > 3);   // the text, once the events satisfy that
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startHarness, until } from "./harness.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const TAIL = "tenantry-test-tail";
const STRANGER = "tenantry-test-stranger";

/** `startHarness` with two more Workers: one that receives the tail, and one that logs what is not ours into it. */
export async function startTailed() {
  const directory = mkdtempSync(join(tmpdir(), "tenantry-tail-"));
  const configPath = join(directory, "wrangler.toml");
  writeFileSync(configPath, `${anywhere(readFileSync(`${ROOT}wrangler.toml`, "utf8"))}\n[[tail_consumers]]\nservice = "${TAIL}"\n`);
  const compatibility_date = "2026-11-01";
  const h = await startHarness({
    configPath,
    productDirectory: `${ROOT}build/bundles/product`,
    workers: [
      { config: { name: TAIL, main: "tests/e2e/tail/consumer.js", compatibility_date } },
      { config: { name: STRANGER, main: "tests/e2e/tail/stranger.js", compatibility_date, tail_consumers: [{ service: TAIL }] } },
    ],
  });
  const events = async () => (await h.server.getWorker(TAIL).fetch("http://tail.localhost/")).json();
  return {
    ...h,
    stranger: (path) => h.server.getWorker(STRANGER).fetch(new URL(path, "http://stranger.localhost")),
    async tail(enough) {
      await until(async () => enough((await events()).flatMap(({ logs }) => logs.flatMap(({ message }) => message))));
      return (await events()).map((event) => `${JSON.stringify(event, null, 4)}\n`).join("");
    },
    async close() {
      await h.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A configuration's text whose paths hold from any directory. */
function anywhere(text) {
  return text.replaceAll(/^(main|directory|migrations_dir) = "(?:\.\/)?(.*)"$/gm, (_, key, path) => `${key} = "${ROOT}${path}"`);
}
