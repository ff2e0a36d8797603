// What a person is asked before something that can't simply be taken back.

import { html } from "../vendor/preact.js";
import { t } from "./language.js";
import { Button, Dialog, Problem, useAction } from "./ui.js";

/** Where the focus goes when what had it is gone. */
function backToHeading() {
  setTimeout(() => document.activeElement === document.body && document.querySelector("main h1")?.focus());
}

/**
 * The question, with the button that does it. `work` answers an answer of client.js; `done` hears of one that is ok, before the question
 * goes. `kind` as of Button. Children stand between the question and the buttons.
 */
export function Confirm({ title, text, act, kind = "bad", work, done, onClose, children }) {
  const { run, busy, problem } = useAction(async () => {
    const answer = await work();
    if (answer.kind !== "ok") return answer;
    await done?.(answer);
    onClose();
    backToHeading();
    return answer;
  });
  const submit = (event) => {
    event.preventDefault();
    run();
  };
  return html`<${Dialog} title=${title} onClose=${onClose}><form novalidate onSubmit=${submit}>
    <p>${text}</p>${typeof children === "function" ? children(problem) : children}
    <${Problem} answer=${problem?.error?.issues ? null : problem} />
    <div class="actions"><${Button} kind=${kind} busy=${busy}>${act}<//><${Button} kind="quiet" onClick=${() => onClose()}>${t("state.leave")}<//></div>
  </form><//>`;
}
