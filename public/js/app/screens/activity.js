// What happened to the club, in words, newest first.

import { html, useState } from "../../vendor/preact.js";
import { dayOf, clock } from "../../times.js";
import { ask, ofClub } from "../client.js";
import { known, t } from "../language.js";
import { refresh, useResource } from "../resources.js";
import { Button, Card, Empty, Problem, Screen, Shown, announce, useAction } from "../ui.js";

const PAGE = 20;

/** An event in a sentence. One of a kind that came later than this page is told by its name. */
function sentenceOf({ type, data }) {
  const key = known(`event.${type}.${data?.reason ?? data?.how ?? data?.by}`, `event.${type}`);
  if (!key) return t("event.other", { type });
  return t(key, { ...data, browser: t(known(`browser.${data?.browser}`) ?? "browser.unknown"), task: t(known(`task.${data?.step}`) ?? "event.step") });
}

/** Who did it, where the event says so. */
const whoOf = ({ data }) => data?.by?.email ?? (typeof data?.by === "string" ? data.by : null);

const dayKey = ({ occurredAt }) => dayOf(new Date(occurredAt));

/** The events by their days, in their order. */
function byDay(events) {
  const days = new Map();
  for (const event of events) days.set(dayKey(event), [...(days.get(dayKey(event)) ?? []), event]);
  return [...days];
}

function Event({ event }) {
  const who = whoOf(event);
  return html`<li><p>${sentenceOf(event)}</p><p class="hint"><time dateTime=${event.occurredAt}>${clock(new Date(event.occurredAt))}</time>${who && html` · <span dir="auto">${who}</span>`}</p></li>`;
}

function Events({ first, path }) {
  const [more, showMore] = useState([]);
  const pages = [first, ...more];
  const { nextCursor } = pages.at(-1);
  const { run, busy, problem } = useAction(async () => {
    const answer = await ask("GET", `${path}&cursor=${encodeURIComponent(nextCursor)}`);
    if (answer.kind === "ok") {
      showMore([...more, answer.body]);
      announce(t("activity.more", { n: answer.body.data.length }));
    }
    return answer;
  });
  // What is new on the first page may have been on the second one before.
  const events = [...new Map(pages.flatMap(({ data }) => data).map((event) => [event.id, event])).values()];
  if (events.length === 0) return html`<${Empty} icon="activity" text=${t("activity.none")} />`;
  return html`${byDay(events).map(([day, ofDay]) => html`<${Card} key=${day} title=${day}><ul class="rows">${ofDay.map((event) => html`<${Event} key=${event.id} event=${event} />`)}</ul><//>`)}
    ${nextCursor && html`<div class="actions"><${Button} busy=${busy} onClick=${run}>${t("activity.load")}<//></div>`}
    <${Problem} answer=${problem} />`;
}

export function Activity() {
  const path = `${ofClub("events")}?limit=${PAGE}`;
  const view = useResource(path);
  return html`<${Screen} title=${t("nav.activity")}><p class="lead">${t("activity.lead")}</p>
    <${Shown} view=${view} again=${() => refresh(path)} lines=${6}>${(body) => html`<${Events} first=${body} path=${path} />`}<//><//>`;
}
