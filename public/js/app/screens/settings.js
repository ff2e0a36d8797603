// What a club, and whoever looks, can change about themselves: name, colours, language, addresses, and who is signed in.

import { html, useEffect, useRef, useState } from "../../vendor/preact.js";
import { isColour, readable } from "../../colour.js";
import { passing } from "../../storage.js";
import { tidy } from "../../text.js";
import { dayAndTime } from "../../times.js";
import { ask, ofClub } from "../client.js";
import { Confirm } from "../confirm.js";
import { LANGUAGES, known, t } from "../language.js";
import { usePages } from "../pages.js";
import { learn, refresh, useResource } from "../resources.js";
import { Button, Card, Crest, Field, Icon, Problem, Screen, Shown, announce, issueFor, useAction } from "../ui.js";

const ME = "/api/v1/tenants/me";
const SESSIONS = `${ME}/sessions?limit=20`;
const PENDING = "tenantry.email-change";
const time = (text) => dayAndTime(new Date(text));

const Done = ({ children }) => html`<p class="state" data-tone="good" role="status">${children && html`<${Icon} name="done" /><span>${children}</span>`}</p>`;

/** The club's header, in colours that are not stored yet. */
function Preview({ name, primaryColor, secondaryColor }) {
  const bar = useRef();
  useEffect(() => {
    // Through the object model: the content security policy forbids style attributes, not this.
    const { style } = bar.current;
    if (isColour(primaryColor)) {
      style.setProperty("--club", primaryColor);
      style.setProperty("--on-club", readable(primaryColor));
    }
    if (isColour(secondaryColor)) style.setProperty("--club-2", secondaryColor);
  }, [primaryColor, secondaryColor]);
  return html`<div class="bar preview" ref=${bar}><span class="club"><${Crest} /><strong dir="auto">${name}</strong></span></div>`;
}

const valuesOf = ({ name, brand, language, membersUrl }) => ({
  name,
  primaryColor: brand?.primaryColor ?? "#0f5c45",
  secondaryColor: brand?.secondaryColor ?? "#7fd6b1",
  language: language ?? "en",
  membersUrl: membersUrl ?? "",
});

/** What to send: only what was changed. */
function changesOf(typed, me) {
  const before = valuesOf(me);
  const after = { ...typed, name: tidy(typed.name), membersUrl: tidy(typed.membersUrl) };
  const { name, language, membersUrl, ...brand } = Object.fromEntries(Object.entries(after).filter(([key, value]) => value !== before[key]));
  return {
    ...(name !== undefined && { name }),
    ...(Object.keys(brand).length > 0 && { brand }),
    ...(language && { language }),
    ...(membersUrl !== undefined && { membersUrl: membersUrl || null }),
  };
}

function Club({ me }) {
  const [typed, type] = useState(() => valuesOf(me));
  const [isDone, end] = useState(false);
  const { run, busy, problem } = useAction(async () => {
    const body = changesOf(typed, me);
    const answer = Object.keys(body).length ? await ask("PATCH", ME, { body }) : { kind: "ok" };
    if (answer.kind === "ok") {
      if (answer.body) {
        learn(ME, answer.body);
        type(valuesOf(answer.body.data));
      }
      end(true);
    } else document.getElementById(answer.error?.issues?.[0]?.path?.[0])?.focus();
    return answer;
  });
  const value = (name) => ({
    name,
    label: t(`settings.${name}`),
    value: typed[name],
    onInput: ({ target }) => {
      end(false);
      type({ ...typed, [name]: target.value });
    },
    error: issueFor(problem, name),
  });
  const submit = (event) => {
    event.preventDefault();
    run();
  };
  return html`<${Card} title=${t("settings.club")}><form novalidate onSubmit=${submit}>
    <${Field} ...${value("name")} maxlength="100" autocomplete="organization" />
    <div class="colours"><${Field} ...${value("primaryColor")} type="color" /><${Field} ...${value("secondaryColor")} type="color" /></div>
    <div role="img" aria-label=${t("settings.preview")}><${Preview} ...${typed} /></div>
    <${Field} as="select" ...${value("language")} hint=${t("settings.language.hint")}>${Object.entries(LANGUAGES).map(([tag, name]) => html`<option key=${tag} value=${tag} lang=${tag}>${name}</option>`)}<//>
    <${Field} ...${value("membersUrl")} type="url" inputmode="url" maxlength="2000" autocomplete="url" hint=${t("settings.membersUrl.hint", { address: me.address ?? "–" })} />
    <${Problem} answer=${problem?.error?.issues ? null : problem} />
    <div class="actions"><${Button} kind="primary" busy=${busy}>${t("settings.save")}<//></div>
    <${Done}>${isDone && t("settings.saved")}<//>
  </form><//>`;
}

/** The address that waits for its confirmation, as far as this tab knows. */
function pendingFor(self) {
  const pending = passing.read(PENDING);
  return pending?.userId === self.userId && pending.email !== self.email && Date.parse(pending.expiresAt) > Date.now() ? pending : null;
}

function Address({ self }) {
  const [email, type] = useState("");
  const [isBare, blame] = useState(false);
  const pending = pendingFor(self);
  const { run, busy, problem } = useAction(async () => {
    const wanted = tidy(email);
    blame(!wanted);
    const answer = wanted ? await ask("POST", ofClub("members/me/email"), { body: { email: wanted } }) : { kind: "ok" };
    if (!wanted || answer.kind !== "ok") document.getElementById("email").focus();
    else {
      passing.write(PENDING, { ...answer.body.pending, userId: self.userId });
      type("");
      announce(t("settings.pending", { name: wanted, time: time(answer.body.pending.expiresAt) }));
    }
    return answer;
  });
  const submit = (event) => {
    event.preventDefault();
    run();
  };
  return html`<${Card} title=${t("settings.address")}>
    <p><strong dir="auto">${self.email}</strong></p>
    ${pending && html`<p class="state" data-tone="warn"><${Icon} name="warn" /><span>${t("settings.pending", { name: pending.email, time: time(pending.expiresAt) })}</span></p>`}
    <form novalidate onSubmit=${submit}>
      <${Field} name="email" label=${t("settings.newAddress")} hint=${t("settings.newAddress.hint")} type="email" inputmode="email" autocomplete="email" autocapitalize="none" spellcheck="false" maxlength="320" value=${email} onInput=${({ target }) => type(target.value)} error=${isBare ? t("issue.required") : issueFor(problem, "email")} />
      <${Problem} answer=${problem?.error?.issues ? null : problem} />
      <div class="actions"><${Button} busy=${busy}>${t("settings.newAddress.do")}<//></div>
    </form>
  <//>`;
}

const browserOf = ({ browser, platform }) => t("session.on", { browser: t(known(`browser.${browser}`) ?? "browser.unknown"), platform: t(known(`platform.${platform}`) ?? "platform.unknown") });

function Sessions({ first, ask: choose }) {
  const { rows, more } = usePages(SESSIONS, first);
  return html`<ul class="rows">${rows.map((session) => {
    const name = browserOf(session);
    return html`<li key=${session.id}><p class="who"><strong>${name}</strong>${session.current && html` <span class="badge">${t("session.current")}</span>`}</p>
      <p class="hint">${t(known(`session.by.${session.how}`) ?? "session.by", { time: time(session.createdAt) })} · ${t("session.seen", { time: time(session.lastSeenAt) })}</p>
      ${!session.current && html`<div class="actions"><${Button} kind="bad small" aria-label=${t("session.endOf", { name })} onClick=${() => choose({ session, name })}>${t("session.end")}<//></div>`}</li>`;
  })}</ul>${more}`;
}

function SignedIn() {
  const view = useResource(SESSIONS);
  const [asked, choose] = useState(null);
  const close = () => choose(null);
  const end = () => ask("DELETE", `${ME}/sessions/${encodeURIComponent(asked.session.id)}`);
  async function ended() {
    await refresh(SESSIONS);
    announce(t("session.ended"));
  }
  const everywhere = () => ask("POST", "/auth/logout", { body: { all: true } });
  return html`<${Card} title=${t("settings.sessions")}>
    <${Shown} view=${view} again=${() => refresh(SESSIONS)} lines=${4}>${(body) => html`<${Sessions} first=${body} ask=${choose} />`}<//>
    <div class="actions"><${Button} kind="bad" onClick=${() => choose({ isAll: true })}>${t("session.all")}<//></div>
    ${asked?.session && html`<${Confirm} title=${t("session.end.title")} text=${t("session.end.text", asked)} act=${t("session.end")} work=${end} done=${ended} onClose=${close} />`}
    ${asked?.isAll && html`<${Confirm} title=${t("session.all.title")} text=${t("session.all.text")} act=${t("session.all")} work=${everywhere} done=${() => location.assign("/magic/")} onClose=${close} />`}
  <//>`;
}

export function Settings({ me }) {
  const members = ofClub("members");
  const view = useResource(members);
  return html`<${Screen} title=${t("nav.settings")}>
    <${Club} me=${me} />
    <${Shown} view=${view} again=${() => refresh(members)} lines=${4}>${(body) => {
      const self = body.members.find((member) => member.self);
      return self && html`<${Address} self=${self} />`;
    }}<//>
    <${SignedIn} />
  <//>`;
}
