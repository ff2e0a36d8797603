// The first screen: which club, how it is, and what needs doing.

import { html, useState } from "../../vendor/preact.js";
import { passing } from "../../storage.js";
import { dayOf } from "../../times.js";
import { t } from "../language.js";
import { look, useProvision } from "../provision.js";
import { Button, Card, Copy, Facts, Icon, Screen, Shown } from "../ui.js";
import { goOn } from "../wizard.js";

/** What the wizard left, if it has just ended: said once. */
const FINISHED = "tenantry.finished";
const finished = passing.read(FINISHED);
passing.remove(FINISHED);

const DAY_S = 86_400;
/** The last days of a trial are worth a card. */
const LAST_DAYS = 3;

/** How many days the trial goes on, the begun one counted. */
const daysLeft = ({ status, comped, trialEndsAt }) =>
  status === "trial" && !comped && trialEndsAt ? Math.max(0, Math.ceil((trialEndsAt - Date.now() / 1000) / DAY_S)) : null;

/** The club's state in one sentence: `[key, tone]`. */
function stateOf(me, { status, resumeAt }) {
  if (me.status === "suspended" || me.status === "cancelled") return [`home.${me.status}`, "bad"];
  if (status === "failed") return [resumeAt ? "home.interrupted" : "home.failed", resumeAt ? "warn" : "bad"];
  return { pending: ["home.pending", "warn"], processing: ["home.processing", "calm"], completed: ["home.completed", "good"] }[status];
}

/** What needs doing, most urgent first: `{key, tone, args?, to? | press?}`. The words are `need.{key}`, `.text` and `.do`. */
function needsOf(me, { status, warnings }) {
  const days = daysLeft(me);
  const { webhook } = me;
  return [
    status === "pending" && { key: "finish", tone: "warn", press: () => goOn(me) },
    status === "failed" && { key: "stopped", tone: "bad", to: "setup" },
    (webhook?.disabledAt || webhook?.failingSince) && { key: "webhook", tone: "bad", to: "webhook" },
    warnings?.length > 0 && { key: "mail", tone: "warn", to: "setup" },
    days !== null && days <= LAST_DAYS && { key: "trial", tone: "warn", args: { n: days } },
  ].filter(Boolean);
}

function Need({ need: { key, tone, args, to, press } }) {
  const act = t(`need.${key}.do`);
  return html`<${Card} tone=${tone} title=${t(`need.${key}`, args)}><p>${t(`need.${key}.text`, args)}</p>
    ${(to || press) && html`<div class="actions">${to ? html`<a class="button" href=${`/app/${to}`}>${act}</a>` : html`<${Button} onClick=${press}>${act}<//>`}</div>`}
  <//>`;
}

/** The wizard's end. */
function Ready({ me }) {
  const [isShown, show] = useState(Boolean(finished));
  if (!isShown) return null;
  const mail = t(finished.mailed ? "ready.mail" : "ready.noMail", { email: me.email });
  return html`<${Card} tone="good" title=${t("ready.title", { name: me.name })}>
    <ul class="points"><li>${mail}</li><li>${t(`ready.${me.plan}`)}</li><li>${t("ready.share")}</li></ul>
    <div class="actions"><${Button} onClick=${() => show(false)}>${t("ready.close")}<//></div>
  <//>`;
}

const ICONS = { good: "done", calm: "setup" };

function State({ me, data }) {
  const [key, tone] = stateOf(me, data);
  const needs = needsOf(me, data);
  return html`<p class="state" data-tone=${tone}><${Icon} name=${ICONS[tone] ?? "warn"} /><span>${t(key)} ${key === "home.processing" && html`<a href="/app/setup">${t("home.watch")}</a>`}</span></p>
    ${needs.length > 0 && html`<h2>${t("home.todo")}</h2>${needs.map((need) => html`<${Need} key=${need.key} need=${need} />`)}`}`;
}

const planText = (me) => (me.comped ? t("home.comped", { plan: t(`plan.${me.plan}`) }) : t(`plan.${me.plan}`));

export function Home({ me }) {
  const view = useProvision();
  const days = daysLeft(me);
  return html`<${Screen} title=${html`<span dir="auto">${me.name}</span>`}>
    ${me.address && html`<${Copy} text=${`https://${me.address}/`} what=${t("home.address")}><a href=${`https://${me.address}/`} rel="noopener">${me.address}</a><//>`}
    <${Ready} me=${me} />
    <${Shown} view=${view} again=${look} lines=${6}>${(data) => html`<${State} me=${me} data=${data} />`}<//>
    ${view.state !== "loading" && html`<${Card} title=${t("home.about")}>
      <${Facts} of=${[
        [t("home.plan"), planText(me)],
        days !== null && [t("home.trial"), html`${t("home.daysLeft", { n: days })} <span class="hint">${t("home.until", { date: dayOf(new Date(me.trialEndsAt * 1000)) })}</span>`],
        [t("home.contact"), html`<span dir="auto">${me.email}</span>`],
        [t("home.since"), dayOf(new Date(me.createdAt))],
      ]} />
      <p class="hint"><a href="/app/setup">${t("home.steps")}</a></p>
    <//>`}
  <//>`;
}
