// The signup page: puts the parts together and shows the step where the person stopped.

import { byId, once } from "./dom.js";
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
import { dayAndTime, say, startLanguage, t } from "./strings.js";

/** Says who is signed in after a mailed link brought them here. */
function showSignedIn() {
  const { tenant } = draft.current();
  const current = session.read();
  if (!current?.until || !tenant) return;
  const box = byId("signed-in");
  say(box, "session.resumed", { name: tenant.name ?? t("colours.yourClub"), time: dayAndTime(new Date(current.until)) });
  box.hidden = false;
}

function startOver() {
  if (!confirm(t("page.startOverSure"))) return;
  draft.forget();
  session.close();
  session.finished(null);
  location.assign("/");
}

startOffline();
await startLanguage();
startPreview();
startRouter({ club, colours, connect, progress, done });
showSignedIn();
byId("start-over").hidden = false;
once(byId("start-over"), "click", startOver);
document.documentElement.dataset.ready = "";
