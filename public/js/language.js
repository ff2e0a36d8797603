// Which language the page speaks, and the buttons that switch it. Another language is fetched only when asked for.

import { make } from "./dom.js";
import { kept } from "./storage.js";
import { speak, translate } from "./strings.js";

const PLACE = "tenantry.language";
const NAMES = { en: "English", de: "Deutsch" };
const LOADERS = { en: async () => ({}), de: async () => (await import("./lang/de.js")).default };

function preferred() {
  const chosen = kept.read(PLACE);
  if (chosen in NAMES) return chosen;
  const wished = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in NAMES);
  return wished ?? "en";
}

function mark(language) {
  for (const button of document.querySelectorAll("#languages button")) {
    button.setAttribute("aria-pressed", String(button.lang === language));
  }
}

async function use(language) {
  try {
    speak(await LOADERS[language]());
  } catch {
    // The file did not arrive; the page goes on in the language it has.
    return;
  }
  if (document.documentElement.lang !== language) {
    document.documentElement.lang = language;
    translate(document);
  }
  mark(language);
  document.dispatchEvent(new Event("languagechange"));
}

/** Shows the switch and speaks the preferred language. */
export async function startLanguage() {
  const box = document.getElementById("languages");
  for (const [language, name] of Object.entries(NAMES)) {
    const button = make("button", { type: "button", lang: language, "aria-pressed": "false" }, name);
    button.addEventListener("click", () => {
      kept.write(PLACE, language);
      use(language);
    });
    box.append(button);
  }
  await use(preferred());
}
