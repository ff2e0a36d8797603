// The product's log as a file of JSON lines. It replaces `wrangler tail`, because a local Worker can't be tailed. wrangler prints a logged
// object the way a console does (`{ level: 'info', … }`), warnings and errors with a heading and over lines.
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** How wrangler colours its own headings, whatever it is told. */
export const COLOUR = /\x1b\[[0-9;]*m/g;
/** `▲ [WARNING] {`: the console.warn of an object, which ends at the indented `}`. */
const HEADING = /^\S \[(?:WARNING|ERROR)\] (?=\{)/;

/** Empties `product.log` in the state directory. The function that it returns takes each printed line. */
export function logFile(stateDir) {
  const path = join(stateDir, "product.log");
  mkdirSync(stateDir, { recursive: true });
  rmSync(path, { force: true });
  writeFileSync(path, "", { mode: 0o600 });
  return loggedObjects((object) => appendFileSync(path, `${JSON.stringify(object)}\n`));
}

/** Takes printed lines, and hands on the objects that were logged; other output is passed over. */
export function loggedObjects(onObject) {
  let open = null;
  return (line) => {
    const plain = line.replaceAll(COLOUR, "");
    if (HEADING.test(plain)) open = [plain.replace(HEADING, "")];
    else if (plain.startsWith("{")) open = [plain];
    else if (open === null) return;
    else open.push(plain.trim());
    if (!open.at(-1).endsWith("}") || (open.length > 1 && open.at(-1) !== "}")) return;
    const object = parsePrinted(open.join(" "));
    open = null;
    if (object !== null) onObject(object);
  };
}

const TOKEN = /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|[A-Za-z_$][\w$]*|[^'"`A-Za-z_$]+/gs;
const ESCAPE = /\\(?:x([0-9a-fA-F]{2})|u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|(.))/gs;
const ESCAPED = { n: "\n", r: "\r", t: "\t", b: "\b", f: "\f", v: "\v", 0: "\0" };

/** An object as a console prints it, or null when it is none. It is parsed, not evaluated, because it holds text of others. */
export function parsePrinted(text) {
  const json = text.match(TOKEN).map((token) => {
    if (/^['"`]/.test(token)) return JSON.stringify(unescaped(token.slice(1, -1)));
    if (/^[A-Za-z_$]/.test(token))
      return ["true", "false", "null"].includes(token) ? token : token === "undefined" ? "null" : JSON.stringify(token);
    return token;
  });
  try {
    return JSON.parse(json.join(""));
  } catch {
    return null;
  }
}

function unescaped(text) {
  return text.replace(ESCAPE, (_, hex, point, unit, char) => {
    const code = hex ?? point ?? unit;
    return code === undefined ? (ESCAPED[char] ?? char) : String.fromCodePoint(parseInt(code, 16));
  });
}
