// The German words that only the screen of what happened says.

import setup from "../../lang/setup.de.js";

export default {
  ...setup,
  "activity.lead": "Was in Ihrem Verein geschehen ist, das Neueste zuerst.",
  "activity.none": "Noch ist nichts geschehen. Hier stehen dann Anmeldungen, Änderungen und alles von der Einrichtung.",
  "event.step": "einem Schritt",
  "event.other": ({ type }) => `Etwas ist geschehen: ${type}`,
  "event.tenant.signed_up": "Der Verein wurde angelegt.",
  "event.tenant.signed_up.operator": "Unser Support hat den Verein angelegt.",
  "event.tenant.provisioned": "Der Verein wurde eingerichtet und eröffnet.",
  "event.tenant.failed": ({ task }) => `Die Einrichtung blieb bei „${task}“ stehen.`,
  "event.tenant.updated": "Die Einstellungen des Vereins wurden geändert.",
  "event.tenant.deprovisioned": "Der Verein wurde geschlossen.",
  "event.session.started": ({ browser }) => `Jemand hat sich angemeldet, mit ${browser}.`,
  "event.session.started.link": ({ browser }) => `Jemand hat sich über einen Link aus einer Mail angemeldet, mit ${browser}.`,
  "event.session.started.code": ({ browser }) => `Jemand hat sich mit einem Code aus einer Mail angemeldet, mit ${browser}.`,
  "event.session.started.proof": ({ browser }) => `Die Kontaktadresse wurde bestätigt, mit ${browser}.`,
  "event.session.ended": ({ browser }) => `Eine Anmeldung mit ${browser} wurde beendet.`,
  "event.session.all_ended": "Alle wurden überall abgemeldet.",
  "event.webhook.changed": ({ host }) => `Ein anderer Webhook wurde gespeichert, bei ${host}.`,
  "event.webhook.disabled": "Der Webhook wurde abgeschaltet, weil er lange nicht geantwortet hat.",
  "event.webhook.disabled.gone": "Der Webhook wurde abgeschaltet: Make sagt, dass es ihn nicht mehr gibt.",
  "event.mail.failed": "Eine Mail war nicht zuzustellen.",
  "browser.edge": "Edge",
  "browser.opera": "Opera",
  "browser.samsung": "Samsung Internet",
  "browser.firefox": "Firefox",
  "browser.chrome": "Chrome",
  "browser.safari": "Safari",
  "browser.unknown": "einem unbekannten Browser",
};
