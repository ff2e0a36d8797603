// Lists that come in pages: the first as of resources.js, the others as somebody asks for them.

import { html, useState } from "../vendor/preact.js";
import { ask } from "./client.js";
import { t } from "./language.js";
import { Button, Problem, announce, useAction } from "./ui.js";

/** `{rows, more}`: the rows of all pages so far, and the button for the next one, if there is one. */
export function usePages(path, first) {
  const [later, show] = useState([]);
  const pages = [first, ...later];
  const { nextCursor } = pages.at(-1);
  const { run, busy, problem } = useAction(async () => {
    const answer = await ask("GET", `${path}&cursor=${encodeURIComponent(nextCursor)}`);
    if (answer.kind === "ok") {
      show([...later, answer.body]);
      announce(t("pages.more", { n: answer.body.data.length }));
    }
    return answer;
  });
  // What is new on the first page may have been on the second one before.
  const known = new Set();
  const rows = pages.flatMap(({ data }) => data).filter(({ id }) => !known.has(id) && known.add(id));
  const more = html`${nextCursor && html`<div class="actions"><${Button} busy=${busy} onClick=${run}>${t("pages.load")}<//></div>`}<${Problem} answer=${problem} />`;
  return { rows, more };
}
