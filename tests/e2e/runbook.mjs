// What a runbook lets people paste: its fenced blocks, the commands in them, and how they are run.
//
//   ```sh setup              is run first, as it stands
//   ```sh runnable           is run as it stands against a local service, for a tenant whose provisioning completed
//   ```sh runnable failed    the same, for a tenant in that state
//   ```sh checked            needs an account, or something to be filled in: the flags of its commands have to exist
import { execFile } from "node:child_process";
import { dirname } from "node:path";

/** Every fenced block: `{line, heading, language, kind, state, words, code}`, in the order of the text. */
export function blocksOf(text) {
  const blocks = [];
  let heading = "";
  let open = null;
  for (const [index, line] of text.split("\n").entries()) {
    const fence = /^\s*```(.*)$/.exec(line);
    if (open === null && fence) {
      const [language, ...words] = fence[1].split(" ");
      open = { line: index + 1, heading, language, kind: words[0], state: words[1] ?? "completed", words, code: "" };
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

/** The commands of a block, each with all of its lines; a quote or a backslash goes on behind the end of one. */
export function commandsOf(code) {
  const commands = [];
  let open = "";
  for (const line of code.split("\n")) {
    if (open === "" && /^\s*(#.*)?$/.test(line)) continue;
    open += `${line}\n`;
    if (isOpen(open)) continue;
    commands.push(open.trim());
    open = "";
  }
  if (open !== "") throw new Error(`this command does not end: ${open}`);
  return commands;
}

function isOpen(text) {
  let quote = null;
  for (const [found] of text.matchAll(/\\[\s\S]|["']/g)) {
    if (found === "\\\n" && quote === null && text.endsWith("\\\n")) return true;
    if (found.length === 1 && (quote === null || quote === found)) quote = quote === null ? found : null;
  }
  return quote !== null;
}

/** One command on one line. */
export const flat = (command) => command.replaceAll(/\\\n/g, " ").replaceAll(/\s+/g, " ").trim();

/**
 * What of ours, and of wrangler's, a piece of shell calls, and with which flags: `{program, words, flags}`. The program is `wrangler`,
 * or a script's path.
 */
export function callsIn(shell) {
  const plain = flat(shell)
    .replaceAll(/'[^']*'|"(?:\\.|[^"\\])*"/g, (quoted) => (quoted.includes("$(") ? quoted.slice(1, -1) : "QUOTED"))
    .replaceAll("$D1", "--remote --env ENV --local --persist-to STATE")
    .replaceAll(/ #.*$/g, "");
  return plain.split(/\||&&|;|\$\(|\)/).flatMap((piece) => {
    const words = piece.trim().split(/\s+/);
    while (/^(\w+=.*|timeout|\d+|npx|node|\[|do)$/.test(words[0] ?? "")) words.shift();
    const program = programOf(words);
    if (program === null) return [];
    const flags = words.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.replace(/=.*/, ""));
    const firstFlag = words.findIndex((word) => word.startsWith("-"));
    return [{ program, words: words.slice(1, firstFlag < 0 ? undefined : firstFlag), flags }];
  });
}

function programOf(words) {
  const [first, second, third] = words;
  if (first === "wrangler") return first;
  if (/^(\.\/)?scripts\/[\w-]+\.\w+$/.test(first)) return first.replace("./", "");
  return first === "npm" && second === "run" ? `npm run ${third}` : null;
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
