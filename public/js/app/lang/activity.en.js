// The English words that only the screen of what happened says.

import setup from "../../lang/setup.en.js";

export default {
  ...setup,
  "activity.lead": "What happened in your club, newest first.",
  "activity.none": "Nothing has happened yet. Sign-ins, changes and everything about the set-up will stand here.",
  "event.step": "a step",
  "event.other": ({ type }) => `Something happened: ${type}`,
  "event.tenant.signed_up": "The club was created.",
  "event.tenant.signed_up.operator": "Our support created the club.",
  "event.tenant.provisioned": "The club was set up and opened.",
  "event.tenant.failed": ({ task }) => `The set-up stopped at “${task}”.`,
  "event.tenant.updated": "The club’s settings were changed.",
  "event.tenant.deprovisioned": "The club was closed.",
  "event.session.started": ({ browser }) => `Somebody signed in with ${browser}.`,
  "event.session.started.link": ({ browser }) => `Somebody signed in by a mailed link, with ${browser}.`,
  "event.session.started.code": ({ browser }) => `Somebody signed in by a mailed code, with ${browser}.`,
  "event.session.started.proof": ({ browser }) => `The contact address was confirmed, with ${browser}.`,
  "event.session.ended": ({ browser }) => `A sign-in with ${browser} was ended.`,
  "event.session.all_ended": "Everybody was signed out everywhere.",
  "event.webhook.changed": ({ host }) => `Another webhook was stored, at ${host}.`,
  "event.webhook.disabled": "The webhook was switched off because it did not answer for long.",
  "event.webhook.disabled.gone": "The webhook was switched off: Make said that it is gone.",
  "event.mail.failed": "A mail could not be delivered.",
  "browser.edge": "Edge",
  "browser.opera": "Opera",
  "browser.samsung": "Samsung Internet",
  "browser.firefox": "Firefox",
  "browser.chrome": "Chrome",
  "browser.safari": "Safari",
  "browser.unknown": "an unknown browser",
};
