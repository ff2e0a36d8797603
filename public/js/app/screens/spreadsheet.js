// A pro club's spreadsheet: where it is, and since when we know that it opens.

import { html } from "../../vendor/preact.js";
import { dayAndTime } from "../../times.js";
import { t } from "../language.js";
import { Card, Copy, Empty, Icon, Screen } from "../ui.js";

/** Only an address of the web is a link, whatever a script has answered. */
const isWeb = (url) => /^https:\/\//i.test(url ?? "");

export function Spreadsheet({ me: { spreadsheet, email } }) {
  const { url, verifiedAt } = spreadsheet ?? {};
  if (!isWeb(url)) {
    return html`<${Screen} title=${t("nav.spreadsheet")}><${Empty} icon="spreadsheet" text=${t("sheet.none")}><a class="button" href="/app/setup">${t("sheet.look")}</a><//><//>`;
  }
  return html`<${Screen} title=${t("nav.spreadsheet")}>
    <p class="lead">${t("sheet.lead")}</p>
    <${Card}>
      <p class="state" data-tone=${verifiedAt ? "good" : "warn"}><${Icon} name=${verifiedAt ? "done" : "warn"} /><span>${verifiedAt ? t("sheet.verified", { time: dayAndTime(new Date(verifiedAt)) }) : t("sheet.unverified")}</span></p>
      <div class="actions"><a class="button primary" href=${url} target="_blank" rel="noopener noreferrer"><${Icon} name="away" />${t("sheet.open")}</a></div>
      <p class="hint"><${Copy} text=${url} what=${t("sheet.link")}>${t("sheet.link")}<//></p>
      <p class="hint">${t("sheet.who", { email })}</p>
    <//>
  <//>`;
}
