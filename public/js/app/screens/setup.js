// The set-up, live: each step with its state, and where it stopped, why and what helps.

import { html, useEffect, useLayoutEffect, useRef } from "../../vendor/preact.js";
import { explanation, stepList } from "../../setup.js";
import { dayAndTime } from "../../times.js";
import { ask, ofClub } from "../client.js";
import { knows, say, t } from "../language.js";
import { look, lookClosely, useProvision } from "../provision.js";
import { refresh } from "../resources.js";
import { Button, Card, Icon, Problem, Screen, Shown, announce, useAction } from "../ui.js";
import { goOn } from "../wizard.js";

const words = { say, knows, t };

/** The wizard's list of steps. */
function Steps({ steps }) {
  const node = useRef();
  const list = useRef();
  useEffect(() => () => list.current.stop(), []);
  useLayoutEffect(() => {
    list.current ??= stepList(node.current, words);
    list.current.show(steps);
  }, [steps]);
  return html`<ol class="tasks" ref=${node}></ol>`;
}

function Stopped({ data }) {
  const said = explanation(data, words);
  const { run, busy, problem } = useAction(async () => {
    const answer = await ask("POST", ofClub("provision/retry"), { body: {} });
    // Nothing waits to be tried again: the state that is shown is older than the club's.
    const isOver = answer.error?.code === "NOT_RETRYABLE";
    if (answer.kind === "ok" || isOver) await lookClosely();
    if (isOver) announce(t("failed.notRetryable"));
    return isOver ? { kind: "ok" } : answer;
  });
  const lines = [said.at, said.why, said.todo, said.resume, ["failed.kept"]].filter(([key]) => key);
  return html`<${Card} tone=${data.resumeAt ? "warn" : "bad"} title=${t(...said.heading)}>
    ${lines.map(([key, args]) => html`<p key=${key}>${t(key, args)}</p>`)}
    <div class="actions"><${Button} kind="primary" busy=${busy} busyText=${t("failed.retrying")} onClick=${run}>${t("failed.retry")}<//>
      ${said.webhook && html`<a class="button" href="/app/webhook">${t("failed.webhook")}</a>`}</div>
    <${Problem} answer=${problem} />
    ${said.support[0] && html`<p class="hint">${t(...said.support)}</p>`}
  <//>`;
}

/** Created, and nothing more: the wizard goes on where it was left. */
const Unfinished = ({ me }) => html`<${Card} tone="warn" title=${t("setup.unfinished")}><p>${t("setup.unfinishedText")}</p>
  <div class="actions"><${Button} kind="primary" onClick=${() => goOn(me)}>${t("setup.goOn")}<//></div><//>`;

const sentenceOf = ({ status, completedAt }) =>
  status === "completed" && completedAt ? t("setup.doneAt", { time: dayAndTime(new Date(completedAt)) }) : t(`setup.${status}`);

function Progress({ data, me }) {
  const { status, progress, steps } = data;
  const wasAt = useRef(status);
  useEffect(() => {
    if (wasAt.current === status) return;
    wasAt.current = status;
    announce(sentenceOf(data));
    refresh("/api/v1/tenants/me");
  }, [status]);
  return html`
    ${["completed", "processing"].includes(status) && html`<p class="state" data-tone=${status === "completed" && "good"}><${Icon} name=${status === "completed" ? "done" : "setup"} /><span>${sentenceOf(data)}</span></p>`}
    ${status === "failed" && html`<${Stopped} data=${data} />`}
    ${status === "pending" && html`<${Unfinished} me=${me} />`}
    <${Card}>
      <div class="meter"><progress value=${progress} max="100" aria-label=${t("setup.bar")}></progress><span aria-hidden="true">${progress} %</span></div>
      <${Steps} steps=${steps} />
    <//>`;
}

export function Setup({ me }) {
  const view = useProvision();
  return html`<${Screen} title=${t("nav.setup")}><${Shown} view=${view} again=${look} lines=${8}>${(data) => html`<${Progress} data=${data} me=${me} />`}<//><//>`;
}
