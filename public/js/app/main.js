// The console: who is here, which club it is, the way from screen to screen, and the screen itself.

import { html, render, useEffect, useErrorBoundary, useReducer, useState } from "../vendor/preact.js";
import { ask, showsClub, signIn, whenOther } from "./client.js";
import { wear } from "./colours.js";
import { LANGUAGES, language, speak, t } from "./language.js";
import { refresh, useResource } from "./resources.js";
import { useRoute } from "./router.js";
import { SCREENS, arrive, labelOf } from "./screens.js";
import { Button, Crest, Empty, Failed, Icon, Loading, Screen, Shown } from "./ui.js";

const ME = "/api/v1/tenants/me";
const WHO = "/whoami";

/** The banner that says the connection is gone. It lies over the page, so that nothing moves when it comes or goes. */
function Offline() {
  const [isOnline, show] = useState(navigator.onLine);
  useEffect(() => {
    const look = () => show(navigator.onLine);
    addEventListener("online", look);
    addEventListener("offline", look);
  }, []);
  return html`<div class="banner" role="status">${!isOnline && html`<p>${t("page.offline")}</p>`}</div>`;
}

function Nav({ screens, at }) {
  return html`<nav class="tabs" aria-label=${t("page.screens")}><ul>${screens.filter(({ icon }) => icon).map(
    (screen) =>
      html`<li key=${screen.name} class=${screen.isAside && "aside"}><a href=${`/app/${screen.name}`} aria-current=${screen.name === at ? "page" : null}><${Icon} name=${screen.icon} /><span>${t(labelOf(screen))}</span></a></li>`,
  )}</ul></nav>`;
}

async function signOut() {
  const answer = await ask("POST", "/auth/logout", { body: {} });
  if (answer.kind === "ok") location.assign("/magic/");
}

/** What one seldom needs: below every screen, on a desk below the tabs. */
const Below = () => html`<nav class="below" aria-label=${t("page.more")}>
  ${Object.entries(LANGUAGES).map(([tag, name]) => tag !== language() && html`<button type="button" class="quiet" lang=${tag} onClick=${() => speak(tag).then(redraw, () => {})}>${name}</button>`)}
  <a href="/app/clubs">${t("nav.clubs")}</a>
  <a href="/">${t("page.another")}</a>
  <button type="button" class="quiet" onClick=${signOut}>${t("page.signOut")}</button>
</nav>`;

const Bar = ({ name }) => html`<header class="bar"><a class="club" href="/app/"><${Crest} /><strong dir="auto">${name}</strong></a></header>`;

/** Nobody's address: what was typed or linked is no screen, or not one of this club's. */
const Nowhere = () => html`<${Screen} title=${t("nowhere.title")}><${Empty} icon="warn" text=${t("nowhere.text")}><a class="button" href="/app/">${t("nowhere.home")}</a><//><//>`;

const NOWHERE = { show: Nowhere };

/** A screen, when it and its words have come. A fault in one leaves the others. */
function Guarded({ screen, ...props }) {
  const [fault] = useErrorBoundary((error) => console.error(error));
  const [view, look] = useState({ state: screen.show ? "ready" : "loading" });
  function bring() {
    look({ state: "loading" });
    arrive(screen).then(
      () => look({ state: "ready" }),
      () => look({ state: "failed", answer: { kind: "lost" } }),
    );
  }
  useEffect(() => {
    if (!screen.show) bring();
  }, []);
  if (fault) return html`<${Screen} title=${t("fault.title")}><${Empty} icon="warn" text=${t("fault.text")}><${Button} onClick=${() => location.reload()}>${t("fault.reload")}<//><//><//>`;
  if (view.state !== "ready") return html`<${Screen} title=${t(labelOf(screen))}><${Shown} view=${view} again=${bring} lines=${6} /><//>`;
  return html`<${screen.show} ...${props} />`;
}

/** The screen at the address, for the club that answered. */
function Club({ me, who }) {
  const at = useRoute();
  const screens = SCREENS.filter(({ isFor }) => !isFor || isFor(me));
  const screen = screens.find(({ name }) => name === at) ?? NOWHERE;
  const title = t(screen === NOWHERE ? "nowhere.title" : labelOf(screen));
  useEffect(() => {
    document.title = `${title} · ${me.name}`;
  }, [title, me.name]);
  useEffect(() => wear(me.brand), [me.brand?.primaryColor, me.brand?.secondaryColor]);
  return html`<${Bar} name=${me.name} /><${Nav} screens=${screens} at=${at} />
    <main id="main" tabindex="-1"><${Guarded} key=${at} screen=${screen} me=${me} who=${who} /></main><${Below} />`;
}

/** Before there is a club: on its way, failed, or another tab's. */
const Waiting = ({ title, children }) =>
  html`<${Bar} name="Tenantry" /><div class="tabs"></div><main id="main" tabindex="-1"><${Screen} title=${title}>${children}<//></main>`;

/** The club, or what stands in its way. */
function Console() {
  const [isOther, tell] = useState(false);
  const me = useResource(ME);
  const who = useResource(WHO);
  useEffect(() => {
    whenOther(() => tell(true));
    document.documentElement.dataset.ready = "";
  }, []);
  const failed = [me, who].find(({ state }) => state === "failed");
  if (isOther) {
    const go = () => location.assign("/app/");
    return html`<${Waiting} title=${t("other.title")}><${Empty} icon="warn" text=${t("other.text")}><${Button} kind="primary" onClick=${go}>${t("other.go")}<//><//><//>`;
  }
  if (failed) {
    const again = () => [ME, WHO].map(refresh);
    return html`<${Waiting} title=${t("state.failed")}><${Failed} answer=${failed.answer} again=${again} /><${Button} kind="quiet" onClick=${signIn}>${t("page.signInAgain")}<//><//>`;
  }
  if (me.state !== "ready" || who.state !== "ready") return html`<${Waiting} title=${t("state.loading")}><${Loading} lines=${5} /><//>`;
  showsClub(me.body.data.id);
  return html`<${Club} me=${me.body.data} who=${who.body.data} />`;
}

let redraw;
function All() {
  [, redraw] = useReducer((n) => n + 1, 0);
  return html`<${Console} key=${language()} /><${Offline} />`;
}

render(html`<${All} />`, document.getElementById("app"));
