// A starter club's webhook: where it is, how it is doing, what it was sent, and how one changes it.

import { html, useState } from "../../vendor/preact.js";
import { tidy } from "../../text.js";
import { dayAndTime } from "../../times.js";
import { ask, ofClub } from "../client.js";
import { Confirm } from "../confirm.js";
import { known, t } from "../language.js";
import { usePages } from "../pages.js";
import { refresh, useResource } from "../resources.js";
import { Button, Card, Copy, Empty, Facts, Field, Icon, Problem, Screen, Shown, announce, issueFor, useAction } from "../ui.js";

const ME = "/api/v1/tenants/me";
const PAGE = 20;
const deliveries = () => `${ofClub("webhook/deliveries")}?limit=${PAGE}`;
const deliveryPath = (id, rest = "") => ofClub(`webhook/deliveries/${encodeURIComponent(id)}${rest}`);
const time = (text) => dayAndTime(new Date(text));

const TONES = { working: "good", disabled: "bad", failing: "bad", delivered: "good", failed: "bad", pending: "warn", cancelled: "warn" };
const Tone = ({ of, children }) => html`<p class="state" data-tone=${TONES[of] ?? "warn"}><${Icon} name=${TONES[of] === "good" ? "done" : "warn"} /><span>${children}</span></p>`;

function healthOf({ disabledAt, failingSince, validatedAt, lastTest }) {
  if (disabledAt) return ["disabled", { time: time(disabledAt) }];
  if (failingSince) return ["failing", { time: time(failingSince) }];
  return [(lastTest?.ok ?? validatedAt) ? "working" : "untested", {}];
}

/** What came of a test, in a sentence. */
function testText({ delivered, status, ms }) {
  if (delivered) return t("webhook.took", { status, ms });
  return status ? t("webhook.refused", { status }) : t("webhook.silent");
}

const TestResult = ({ test }) => html`<${Tone} of=${test.delivered ? "delivered" : "failed"}>${testText(test)}<//>`;

function lastTestText({ lastTest, validatedAt }) {
  if (lastTest) return `${time(lastTest.at)}: ${lastTest.ok ? t("webhook.tookIt") : t("webhook.tookNot")}`;
  return validatedAt ? `${time(validatedAt)}: ${t("webhook.tookIt")}` : t("webhook.notTested");
}

function State({ webhook }) {
  const [test, show] = useState(null);
  const { run, busy, problem } = useAction(async () => {
    const answer = await ask("POST", ofClub("webhook/test"), { body: {} });
    if (answer.kind === "ok") {
      await Promise.all([refresh(ME), refresh(deliveries())]);
      show(answer.body.data);
      announce(testText(answer.body.data));
    }
    return answer;
  });
  const [health, args] = healthOf(webhook);
  return html`<${Card}>
    <${Tone} of=${health}>${t(`webhook.${health}`, args)}<//>
    ${health === "disabled" && html`<p>${t("webhook.disabled.text")}</p>`}
    <${Facts} of=${[
      [t("webhook.host"), html`<span dir="auto">${webhook.host}</span>`],
      [t("webhook.lastTest"), lastTestText(webhook)],
      webhook.previousSecretUntil && [t("webhook.bothUntil"), time(webhook.previousSecretUntil)],
    ]} />
    <div class="actions"><${Button} kind="primary" busy=${busy} busyText=${t("webhook.testing")} onClick=${run}>${t("webhook.test")}<//></div>
    ${test && html`<${TestResult} test=${test} />`}<${Problem} answer=${problem} />
  <//>`;
}

/** Another address, or another secret for the same one. */
function Change({ onClose, say }) {
  const [typed, type] = useState({ webhookUrl: "", webhookSecret: "" });
  const [bare, blame] = useState(null);
  const { run, busy, problem } = useAction(async () => {
    const body = { webhookUrl: tidy(typed.webhookUrl), webhookSecret: tidy(typed.webhookSecret) };
    const missing = Object.keys(body).find((name) => !body[name]);
    blame(missing);
    const answer = missing ? { kind: "ok" } : await ask("POST", "/public/signup/starter/make", { body });
    const wrong = missing ?? answer.error?.issues?.[0]?.path?.[0] ?? (answer.error && "webhookUrl");
    document.getElementById(wrong)?.focus();
    if (missing || answer.kind !== "ok") return answer;
    await Promise.all([refresh(ME), refresh(deliveries())]);
    say(answer.body.data.webhook);
    return answer;
  });
  const field = (name, more) => html`<${Field} name=${name} label=${t(`webhook.${name}`)} hint=${t(`webhook.${name}.hint`)} autocomplete="off" autocapitalize="none" spellcheck="false" ...${more}
    value=${typed[name]} onInput=${({ target }) => type({ ...typed, [name]: target.value })} error=${bare === name ? t("issue.required") : issueFor(problem, name)} />`;
  const submit = (event) => {
    event.preventDefault();
    run();
  };
  return html`<form novalidate onSubmit=${submit}>
    ${field("webhookUrl", { type: "url", inputmode: "url", maxlength: 2000 })}${field("webhookSecret", { maxlength: 500 })}
    <${Problem} answer=${problem?.error?.issues ? null : problem} />
    <div class="actions"><${Button} kind="primary" busy=${busy}>${t("webhook.store")}<//><${Button} kind="quiet" onClick=${onClose}>${t("state.leave")}<//></div>
  </form>`;
}

/** The secret that was made, until somebody has put it away: nobody can show it again. */
const Secret = ({ secret, onClose }) => html`<${Card} tone="warn" title=${t("webhook.secret.made")}><p>${t("webhook.secret.once")}</p>
  <p class="code"><${Copy} text=${secret} what=${t("webhook.webhookSecret")} /></p>
  <div class="actions"><${Button} onClick=${onClose}>${t("webhook.secret.kept")}<//></div><//>`;

function Changes() {
  const [view, show] = useState({});
  const leave = () => show({});
  async function done({ body }) {
    await refresh(ME);
    show({ secret: body.secret });
    announce(t("webhook.secret.made"));
  }
  const { secret, stored } = view;
  if (secret) return html`<${Secret} secret=${secret} onClose=${leave} />`;
  return html`<${Card} title=${t("webhook.change")}><p>${t("webhook.change.text")}</p>
    ${stored && html`<${Tone} of="delivered">${t("webhook.stored", { host: stored.host })}<//>${stored.test && html`<${TestResult} test=${stored.test} />`}`}
    ${view.form
      ? html`<${Change} onClose=${leave} say=${(stored) => show({ stored })} />`
      : html`<div class="actions"><${Button} onClick=${() => show({ form: true })}>${t("webhook.change.do")}<//><${Button} onClick=${() => show({ asks: true })}>${t("webhook.secret")}<//></div>`}
    ${view.asks && html`<${Confirm} title=${t("webhook.secret.title")} text=${t("webhook.secret.text")} act=${t("webhook.secret.do")} kind="primary" work=${() => ask("POST", ofClub("webhook/secret"), { body: {} })} done=${done} onClose=${() => show(({ secret }) => ({ secret }))} />`}
  <//>`;
}

function attemptText({ status, error, ms }) {
  const what = status ? t("webhook.answered", { status }) : t(known(`attempt.${error}`) ?? "webhook.noAnswer");
  return ms == null ? what : `${what} (${ms} ms)`;
}

const pretty = (payload) => {
  try {
    return JSON.stringify(typeof payload === "string" ? JSON.parse(payload) : payload, null, 2);
  } catch {
    return payload;
  }
};

/** Everything about one delivery: asked for when somebody opens it. */
function Details({ id }) {
  const path = deliveryPath(id);
  const view = useResource(path);
  const { run, busy, problem } = useAction(async () => {
    const answer = await ask("POST", deliveryPath(id, "/redeliver"), { body: {} });
    if (answer.kind === "ok") {
      await Promise.all([refresh(path), refresh(deliveries())]);
      announce(t("webhook.onItsWay"));
    }
    return answer;
  });
  return html`<${Shown} view=${view} again=${() => refresh(path)} lines=${3}>${({ delivery: { attempts, payload, nextAttemptAt } }) => {
    return html`<div class="stack">
      ${attempts.length ? html`<ol class="points">${attempts.map((attempt) => html`<li key=${attempt.at}>${time(attempt.at)}: ${attemptText(attempt)}</li>`)}</ol>` : html`<p class="hint">${t("webhook.noAttempts")}</p>`}
      ${nextAttemptAt && html`<p class="hint">${t("webhook.next", { time: time(nextAttemptAt) })}</p>`}
      ${payload && html`<pre tabindex="0" role="group" aria-label=${t("webhook.payload")} dir="ltr">${pretty(payload)}</pre>`}
      <div class="actions"><${Button} kind="small" busy=${busy} onClick=${run}>${t("webhook.again")}<//></div>
      <${Problem} answer=${problem} /></div>`;
  }}<//>`;
}

function Delivery({ delivery: { id, type, status, attempts, createdAt } }) {
  const [isOpen, open] = useState(false);
  return html`<li><details onToggle=${({ target }) => open(target.open)}><summary><span class="who"><strong dir="ltr">${type}</strong> <span class="badge" data-tone=${TONES[status]}>${t(known(`delivery.${status}`) ?? "delivery.pending")}</span></span>
      <span class="hint">${time(createdAt)} · ${t("webhook.attempts", { n: Array.isArray(attempts) ? attempts.length : attempts })}</span></summary>
    ${isOpen && html`<${Details} id=${id} />`}</details></li>`;
}

function Deliveries({ first }) {
  const { rows, more } = usePages(deliveries(), first);
  if (rows.length === 0) return html`<${Empty} icon="webhook" text=${t("webhook.nothing")} />`;
  return html`<${Card}><ul class="rows">${rows.map((delivery) => html`<${Delivery} key=${delivery.id} delivery=${delivery} />`)}</ul>${more}<//>`;
}

export function Webhook({ me: { webhook } }) {
  const view = useResource(webhook ? deliveries() : null);
  if (!webhook) return html`<${Screen} title=${t("nav.webhook")}><${Empty} icon="webhook" text=${t("webhook.none")}><a class="button" href="/app/setup">${t("webhook.look")}</a><//><//>`;
  return html`<${Screen} title=${t("nav.webhook")}><p class="lead">${t("webhook.lead")}</p>
    <${State} webhook=${webhook} /><${Changes} />
    <h2>${t("webhook.deliveries")}</h2>
    <${Shown} view=${view} again=${() => refresh(deliveries())} lines=${6}>${(body) => html`<${Deliveries} first=${body} />`}<//>
  <//>`;
}
