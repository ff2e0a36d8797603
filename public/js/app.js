// The signup page: puts the parts together and shows the step where the person stopped.

import { byId, leave, once } from "./dom.js";
import * as draft from "./draft.js";
import { startOffline } from "./notice.js";
import { startPreview } from "./preview.js";
import { startRouter } from "./router.js";
import * as session from "./session.js";
import { club } from "./steps/club.js";
import { colours } from "./steps/colours.js";
import { connect } from "./steps/connect.js";
import { done } from "./steps/done.js";
import { progress } from "./steps/progress.js";
import { dayAndTime, knows, say, startLanguage, t } from "./strings.js";

/** Says who is signed in after a mailed link brought them here. */
function showSignedIn() {
  const { tenant } = draft.current();
  const current = session.read();
  if (!current?.until || !tenant) return;
  const box = byId("signed-in");
  say(box, "session.resumed", { name: tenant.name ?? t("colours.yourClub"), time: dayAndTime(new Date(current.until)) });
  box.hidden = false;
}

/** What starting over does not undo. */
function whatStays() {
  const { tenant, queued, sent } = draft.current();
  const done = session.finished();
  const named = (name) => name || t("colours.yourClub");
  if (tenant) {
    const club = { name: named(tenant.name), email: tenant.email ?? "–" };
    if (tenant.emailProven === false && knows("code.startOver")) return t("code.startOver", club);
    return t(queued ? "page.startOverQueued" : "page.startOverMade", club);
  }
  if (done) return t("page.startOverDone", { name: named(done.name) });
  const [body] = sent;
  return body ? t("page.startOverMaybe", { name: named(body.clubName), email: body.email }) : t("page.startOverSure");
}

function startOver() {
  if (!confirm(whatStays())) return;
  draft.finish();
  session.finished(null);
  leave();
}

/** Says that this browser has another club's draft besides this tab's. */
function showElsewhere() {
  const found = draft.other();
  if (!found) return;
  const { tenant, clubName } = found.draft;
  const name = tenant?.name || clubName || t("elsewhere.unnamed");
  const banner = byId("elsewhere").firstElementChild;
  say(byId("elsewhere-text"), found.busy ? "elsewhere.busy" : "elsewhere.free", { name });
  byId("elsewhere-open").hidden = found.busy;
  once(byId("elsewhere-open"), "click", () => {
    draft.goOnWith(found.draft);
    leave();
  });
  once(byId("elsewhere-close"), "click", () => {
    banner.hidden = true;
  });
  banner.hidden = false;
}

/** Where the browser stores nothing, the page does not say that it does, and asks before it is left. */
function watchStorage() {
  const tell = () => {
    if (!draft.isKept()) say(byId("club-lead"), "page.leadUnkept");
  };
  document.addEventListener("input", tell);
  addEventListener("beforeunload", (event) => {
    if (!draft.isKept()) event.preventDefault();
  });
}

/** What somebody typed before the scripts came. */
const typedEarly = () =>
  Object.fromEntries(["clubName", "clubSlug", "email", "promoCode"].map((name) => [name, byId(name).value]));

startOffline();
await startLanguage();
await draft.open(typedEarly);
watchStorage();
startPreview();
await session.showProof();
startRouter({ club, colours, connect, progress, done });
showSignedIn();
showElsewhere();
once(byId("start-over"), "click", startOver);
document.documentElement.dataset.ready = "";
