// The console's one library, Preact with its hooks and htm, as one module: pages have no bundler, and browsers find no bare names.
import { readFileSync } from "node:fs";
import { at } from "./project.mjs";

export const VENDORED = "public/js/vendor/preact.js";

/** What of it the console uses. */
const ENTRY = `
import { Fragment, h, render } from "preact";
import { useEffect, useErrorBoundary, useLayoutEffect, useReducer, useRef, useState } from "preact/hooks";
import htm from "htm";
const html = htm.bind(h);
export { Fragment, html, render, useEffect, useErrorBoundary, useLayoutEffect, useReducer, useRef, useState };
`;

const version = (name) => JSON.parse(readFileSync(at("node_modules", name, "package.json"), "utf8")).version;

/** The module's text, from the packages that the lock file names. */
export async function vendored() {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    stdin: { contents: ENTRY, resolveDir: at("") },
    bundle: true,
    format: "esm",
    minify: true,
    target: "es2022",
    write: false,
    banner: { js: `// preact ${version("preact")} (MIT) and htm ${version("htm")} (Apache-2.0), by \`npm run vendor\`: not to be changed by hand.` },
  });
  return outputFiles[0].text;
}
