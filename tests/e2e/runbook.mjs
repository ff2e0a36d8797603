// What a runbook lets people paste: its fenced blocks, and how a block is run.
//
//   ```sh            is shown; it has to parse
//   ```sh runnable   is run as it stands against a local service, for a club whose provisioning completed
//   ```sh runnable failed, ```sh runnable pending      the same, for a club in that state
import { execFile } from "node:child_process";
import { dirname } from "node:path";

/** Every fenced block: `{line, heading, language, runnable, state, code}`, in the order of the text. */
export function blocksOf(text) {
  const blocks = [];
  let heading = "";
  let open = null;
  for (const [index, line] of text.split("\n").entries()) {
    const fence = /^\s*```(.*)$/.exec(line);
    if (open === null && fence) {
      const [language, runnable, state = "completed"] = fence[1].split(" ");
      open = {
        line: index + 1,
        heading,
        language,
        runnable: runnable === "runnable",
        state,
        words: fence[1].split(" ").slice(1),
        code: "",
      };
    } else if (open !== null && fence) {
      blocks.push(open);
      open = null;
    } else if (open !== null) {
      open.code += `${line}\n`;
    } else if (/^#+ /.test(line)) {
      heading = line.replace(/^#+ /, "");
    }
  }
  if (open !== null) throw new Error(`the block of line ${open.line} does not end`);
  return blocks;
}

/** Runs a block in bash, as somebody who pastes it, stopping at the first failure; answers `{status, stdout, stderr}`. */
export function paste(code, { env = {}, cwd, prelude = "" } = {}) {
  return new Promise((done) => {
    // The Node that runs the tests: wrangler needs it, whatever the machine has.
    const PATH = `${dirname(process.execPath)}:${process.env.PATH}`;
    execFile(
      "bash",
      ["-euo", "pipefail", "-c", `${prelude}\n${code}`],
      { cwd, env: { PATH, ...env }, timeout: 120_000 },
      (error, stdout, stderr) => done({ status: error === null ? 0 : (error.code ?? error.signal), stdout, stderr }),
    );
  });
}
