// Who runs the club: its people, whom it has invited, and to whom it is being handed over.

import { html, useState } from "../../vendor/preact.js";
import { tidy } from "../../text.js";
import { dayAndTime, dayOf } from "../../times.js";
import { ask, ofClub } from "../client.js";
import { Confirm } from "../confirm.js";
import { t } from "../language.js";
import { refresh, useResource } from "../resources.js";
import { Button, Card, Field, Icon, Problem, Screen, Shown, announce, issueFor, useAction } from "../ui.js";

const MESSAGE_MAX = 300;
const ROLES = { owner: ["tenant_admin", "owner"], tenant_admin: ["tenant_admin"] };

const roleOf = ({ roles }) => (roles.includes("owner") ? "owner" : "tenant_admin");
const nameOf = ({ name, email }) => name || email;
const time = (text) => dayAndTime(new Date(text));
const memberPath = ({ userId }) => ofClub(`members/${encodeURIComponent(userId)}`);
const invitationPath = ({ id }, rest = "") => ofClub(`invitations/${encodeURIComponent(id)}${rest}`);

/** Whoever has left is signed out. */
const leave = () => location.assign("/magic/");

/** What can be done to somebody, or by oneself: `{key, kind, method, path, body?, done?}`. The words are `team.{key}`, `.title` and `.text`. */
function deedsOf(member, { isOwner, transfer }) {
  const path = memberPath(member);
  const become = (key, role) => ({ key, kind: "primary", method: "PATCH", path, body: { roles: ROLES[role] } });
  const owns = roleOf(member) === "owner";
  if (member.self) {
    return [
      owns && { ...become("stepDown", "tenant_admin"), kind: "bad" },
      { key: "leave", kind: "bad", method: "POST", path: ofClub("members/me/leave"), body: {}, done: leave },
    ];
  }
  if (!isOwner) return [];
  return [
    owns ? { ...become("makeAdmin", "tenant_admin"), kind: "bad" } : become("makeOwner", "owner"),
    !owns && !transfer && { key: "handOver", kind: "primary", method: "POST", path: ofClub("ownership/transfer"), body: { userId: member.userId } },
    { key: "remove", kind: "bad", method: "DELETE", path },
  ];
}

function Member({ member, team, choose }) {
  const name = nameOf(member);
  const deeds = deedsOf(member, team).filter(Boolean);
  return html`<li><p class="who"><strong dir="auto">${name}</strong> <span class="badge">${t(`role.${roleOf(member)}`)}</span>${member.self && html` <span class="badge">${t("team.you")}</span>`}</p>
    <p class="hint">${member.name && html`<span dir="auto">${member.email}</span> · `}${member.primary && `${t("team.primary")} · `}${member.lastSignInAt ? t("team.seen", { time: time(member.lastSignInAt) }) : t("team.never")}</p>
    ${deeds.length > 0 && html`<details><summary aria-label=${t("team.changeOf", { name })}>${t("team.change")}</summary>
      <div class="actions">${deeds.map((deed) => html`<${Button} key=${deed.key} kind=${deed.kind === "bad" ? "bad small" : "small"} onClick=${() => choose({ ...deed, name })}>${t(`team.${deed.key}`)}<//>`)}</div></details>`}
  </li>`;
}

function Invitation({ invitation, isOwner, choose, say }) {
  const { email: name, role, state, message, invitedBy, expiresAt } = invitation;
  const isOpen = state === "open";
  const { run, busy, problem } = useAction(async () => {
    const answer = await ask("POST", invitationPath(invitation, "/resend"), { body: {} });
    await refresh(ofClub("members"));
    if (answer.kind === "ok") say("team.resend.done", { name });
    return answer;
  });
  const revoke = { key: "revoke", kind: "bad", method: "DELETE", path: invitationPath(invitation), name };
  // An admin can't hand out what an admin does not have.
  const mayChange = isOwner || role !== "owner";
  return html`<li><p class="who"><strong dir="auto">${name}</strong> <span class="badge">${t(`role.${role}`)}</span></p>
    <p class="hint" data-tone=${!isOpen && "warn"}>${t(isOpen ? "team.open" : "team.expired", { date: dayOf(new Date(expiresAt)) })}${invitedBy && html` · ${t("team.by")} <span dir="auto">${invitedBy.email}</span>`}</p>
    ${message && html`<p class="quote" dir="auto">${message}</p>`}
    ${mayChange && html`<div class="actions"><${Button} kind="small" busy=${busy} onClick=${run} aria-label=${t("team.resendOf", { name })}>${t("team.resend")}<//>
      <${Button} kind="bad small" onClick=${() => choose(revoke)} aria-label=${t("team.revokeOf", { name })}>${t("team.revoke")}<//></div>`}
    <${Problem} answer=${problem} />
  </li>`;
}

/** Whom the club is offered to: whoever it is may take it, and an owner may take the offer back. */
function Transfer({ transfer, isOwner, choose }) {
  const { toMe, email: name, expiresAt } = transfer;
  if (!toMe && !isOwner) return null;
  const path = ofClub("ownership/transfer");
  const end = { key: toMe ? "decline" : "cancel", kind: "bad", method: "DELETE", path, name };
  const accept = { key: "accept", kind: "primary", method: "POST", path: `${path}/accept`, body: {}, name };
  return html`<${Card} tone="warn" title=${t(toMe ? "team.toMe" : "team.offered")}>
    <p>${t(toMe ? "team.toMe.text" : "team.offered.text", { name, time: time(expiresAt) })}</p>
    <div class="actions">${toMe && html`<${Button} kind="primary" onClick=${() => choose(accept)}>${t("team.accept")}<//>`}<${Button} onClick=${() => choose(end)}>${t(`team.${end.key}`)}<//></div>
  <//>`;
}

function Invite({ isOwner, onClose, say }) {
  const [typed, type] = useState({ email: "", role: "tenant_admin", message: "" });
  const [isBare, blame] = useState(false);
  const on = (name) => ({ target }) => {
    blame(false);
    type({ ...typed, [name]: target.value });
  };
  async function work() {
    const [email, message] = [tidy(typed.email), tidy(typed.message)];
    blame(!email);
    if (!email) {
      document.getElementById("email").focus();
      return { kind: "refused", error: { issues: [] } };
    }
    const answer = await ask("POST", ofClub("invitations"), { body: { email, role: typed.role, ...(message && { message }) } });
    if (answer.error?.issues) document.getElementById(answer.error.issues[0]?.path?.[0])?.focus();
    return answer;
  }
  async function done({ status, body }) {
    await refresh(ofClub("members"));
    say(status === 201 ? "team.invited" : "team.invitedAgain", { name: body.invitation.email });
  }
  return html`<${Confirm} title=${t("team.invite")} text=${t("team.invite.text")} act=${t("team.invite.do")} kind="primary" work=${work} done=${done} onClose=${onClose}>${(problem) => html`
    <${Field} name="email" label=${t("team.email")} type="email" inputmode="email" autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="320" value=${typed.email} onInput=${on("email")} error=${isBare ? t("issue.required") : issueFor(problem, "email")} />
    ${isOwner && html`<fieldset><legend>${t("team.role")}</legend>${Object.keys(ROLES).reverse().map((role) => html`<label class="choice" key=${role}><input type="radio" name="role" value=${role} checked=${typed.role === role} onChange=${on("role")} /><span><strong>${t(`role.${role}`)}</strong> ${t(`team.may.${role}`)}</span></label>`)}</fieldset>`}
    <${Field} as="textarea" name="message" rows="3" maxlength=${MESSAGE_MAX} label=${t("team.message")} hint=${t("team.message.hint")} value=${typed.message} onInput=${on("message")} error=${issueFor(problem, "message")} />`}<//>`;
}

function People({ body }) {
  const { members, invitations, transfer } = body;
  const [deed, choose] = useState(null);
  const [said, tell] = useState(null);
  const say = (key, args) => {
    tell([key, args]);
    announce(t(key, args));
  };
  const self = members.find((member) => member.self);
  const isOwner = Boolean(self) && roleOf(self) === "owner";
  const close = () => choose(null);
  async function work() {
    const answer = await ask(deed.method, deed.path, { body: deed.body });
    // What was refused may have been decided otherwise in the meantime.
    if (answer.kind === "refused") refresh(ofClub("members"));
    return answer;
  }
  async function done() {
    if (deed.done) return deed.done();
    await refresh(ofClub("members"));
    say(`team.${deed.key}.done`, { name: deed.name });
  }
  return html`
    ${said && html`<p class="state" data-tone="good"><${Icon} name="done" /><span>${t(...said)}</span></p>`}
    ${transfer && html`<${Transfer} transfer=${transfer} isOwner=${isOwner} choose=${choose} />`}
    <${Card} title=${t("team.members", { n: members.length })}>
      <ul class="rows">${members.map((member) => html`<${Member} key=${member.userId} member=${member} team=${{ isOwner, transfer }} choose=${choose} />`)}</ul>
      ${members.length === 1 && html`<p class="hint">${t("team.alone")}</p>`}
      <div class="actions"><${Button} kind="primary" onClick=${() => choose({ key: "invite" })}>${t("team.invite")}<//></div>
    <//>
    ${invitations.length > 0 && html`<${Card} title=${t("team.invitations")}><ul class="rows">${invitations.map((invitation) => html`<${Invitation} key=${invitation.id} invitation=${invitation} isOwner=${isOwner} choose=${choose} say=${say} />`)}</ul><//>`}
    ${deed?.key === "invite" && html`<${Invite} isOwner=${isOwner} onClose=${close} say=${say} />`}
    ${deed && deed.key !== "invite" && html`<${Confirm} title=${t(`team.${deed.key}.title`, { name: deed.name })} text=${t(`team.${deed.key}.text`, { name: deed.name })} act=${t(`team.${deed.key}`)} kind=${deed.kind} work=${work} done=${done} onClose=${close} />`}`;
}

export function Team() {
  const path = ofClub("members");
  const view = useResource(path);
  return html`<${Screen} title=${t("nav.team")}><p class="lead">${t("team.lead")}</p>
    <${Shown} view=${view} again=${() => refresh(path)} lines=${6}>${(body) => html`<${People} body=${body} />`}<//><//>`;
}
