// The German words that only the spreadsheet's screen says.

export default {
  "sheet.lead": "Alles, was im Verein geschieht, steht in einer Google-Tabelle, die aktuell bleibt.",
  "sheet.none": "Die Tabelle Ihres Vereins entsteht bei der Einrichtung. Noch gibt es sie nicht.",
  "sheet.look": "Ansehen, wie weit es ist",
  "sheet.verified": ({ time }) => `Wir haben geprüft, dass sie sich öffnet: ${time}.`,
  "sheet.unverified": "Ob sie sich öffnen lässt, ist noch nicht geprüft.",
  "sheet.open": "Tabelle öffnen",
  "sheet.link": "Link zur Tabelle",
  "sheet.who": ({ email }) => `Sie ist für ${email} freigegeben. Google bittet Sie vielleicht, sich mit dieser Adresse anzumelden.`,
};
