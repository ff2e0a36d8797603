// The clubs that whoever looks belongs to, and the way from one to another.

import { html } from "../../vendor/preact.js";
import { call } from "../../api.js";
import { signIn } from "../client.js";
import { t } from "../language.js";
import { refresh, useResource } from "../resources.js";
import { Button, Card, Problem, Screen, Shown, useAction } from "../ui.js";

const PATH = "/api/v1/tenants/me/memberships";

function Membership({ club: { tenantId, name, roles, current }, own }) {
  const { run, busy, problem } = useAction(async () => {
    const answer = await call("POST", "/auth/switch", { body: { tenantId, session: true }, token: { tenantId: own } });
    if (answer.kind === "ok") location.assign("/app/");
    else if (answer.status === 401) signIn();
    else if (answer.kind === "refused") refresh(PATH);
    return answer;
  });
  const role = t(`role.${roles.includes("owner") ? "owner" : "tenant_admin"}`);
  return html`<li><p class="who"><strong dir="auto">${name}</strong> <span class="badge">${role}</span>${current && html` <span class="badge">${t("clubs.current")}</span>`}</p>
    ${!current && html`<div class="actions"><${Button} kind="small" busy=${busy} onClick=${run} aria-label=${t("clubs.goTo", { name })}>${t("clubs.go")}<//></div>`}
    <${Problem} answer=${problem} /></li>`;
}

export function Clubs({ me }) {
  const view = useResource(PATH);
  return html`<${Screen} title=${t("nav.clubs")}>
    <${Shown} view=${view} again=${() => refresh(PATH)} lines=${3}>${({ memberships }) => html`
      ${memberships.length < 2 && html`<p class="lead">${t("clubs.one")}</p>`}
      <${Card}><ul class="rows">${memberships.map((club) => html`<${Membership} key=${club.tenantId} club=${club} own=${me.id} />`)}</ul><//>`}<//>
  <//>`;
}
