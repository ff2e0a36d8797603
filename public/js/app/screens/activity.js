// What happened to the club, in words, newest first.

import { html } from "../../vendor/preact.js";
import { dayOf, clock } from "../../times.js";
import { ofClub } from "../client.js";
import { known, t } from "../language.js";
import { usePages } from "../pages.js";
import { refresh, useResource } from "../resources.js";
import { Card, Empty, Screen, Shown } from "../ui.js";

const PAGE = 20;

/** An event in a sentence. One of a kind that came later than this page is told by its name. */
function sentenceOf({ type, data }) {
  const key = known(`event.${type}.${data?.reason ?? data?.how ?? data?.by}`, `event.${type}`);
  if (!key) return t("event.other", { type });
  return t(key, { ...data, browser: t(known(`browser.${data?.browser}`) ?? "browser.unknown"), task: t(known(`task.${data?.step}`) ?? "event.step") });
}

/** Who did it, where the event says so: people are named by their ids, which the team's list knows as long as they are in it. */
function whoOf({ data }, team) {
  const by = data?.by?.email ?? data?.by;
  if (typeof by !== "string" || !by.startsWith("user_")) return by;
  return team?.members.find(({ userId }) => userId === by)?.email;
}

const dayKey = ({ occurredAt }) => dayOf(new Date(occurredAt));

/** The events by their days, in their order. */
function byDay(events) {
  const days = new Map();
  for (const event of events) days.set(dayKey(event), [...(days.get(dayKey(event)) ?? []), event]);
  return [...days];
}

function Event({ event, team }) {
  const who = whoOf(event, team);
  return html`<li><p>${sentenceOf(event)}</p><p class="hint"><time dateTime=${event.occurredAt}>${clock(new Date(event.occurredAt))}</time>${who && html` · <span dir="auto">${who}</span>`}</p></li>`;
}

function Events({ first, path, team }) {
  const { rows: events, more } = usePages(path, first);
  if (events.length === 0) return html`<${Empty} icon="activity" text=${t("activity.none")} />`;
  return html`${byDay(events).map(([day, ofDay]) => html`<${Card} key=${day} title=${day}><ul class="rows">${ofDay.map((event) => html`<${Event} key=${event.id} event=${event} team=${team} />`)}</ul><//>`)}
    ${more}`;
}

export function Activity() {
  const path = `${ofClub("events")}?limit=${PAGE}`;
  const view = useResource(path);
  const team = useResource(ofClub("members")).body;
  return html`<${Screen} title=${t("nav.activity")}><p class="lead">${t("activity.lead")}</p>
    <${Shown} view=${view} again=${() => refresh(path)} lines=${6}>${(body) => html`<${Events} first=${body} path=${path} team=${team} />`}<//><//>`;
}
