// The same in German.

export default {
  "email.title": "Ihre E-Mail-Adresse · Tenantry",
  "email.heading": "Ihre E-Mail-Adresse",
  "email.noscript":
    "Hier wird JavaScript gebraucht. Bitte schalten Sie es ein oder öffnen Sie den Link auf einem anderen Gerät: Er gilt einmal.",
  "email.wait": "Einen Augenblick …",
  "email.confirmHeading": "Neue E-Mail-Adresse bestätigen",
  "email.confirmLead":
    "Ein Druck macht diese Adresse zu Ihrer: Links und Codes zum Anmelden kommen dann hierher. Der Link gilt einmal.",
  "email.confirm": "Diese Adresse bestätigen",
  "email.confirming": "Wird bestätigt …",
  "email.undoHeading": "Frühere E-Mail-Adresse zurückholen",
  "email.undoLead":
    "Ein Druck, und Ihre frühere Adresse gilt wieder. Wer sie geändert hat, wird überall abgemeldet, und Sie auch. Der Link gilt einmal.",
  "email.undo": "Meine Adresse zurückholen",
  "email.undoing": "Wird zurückgeholt …",
  "email.missing": "Diese Seite braucht den Link aus Ihrer Mail. Öffnen Sie ihn dort noch einmal.",
  "email.confirmed": "Ihre neue E-Mail-Adresse gilt",
  "email.confirmedText": "Links und Codes zum Anmelden kommen von jetzt an hierher. Wo Sie angemeldet sind, bleiben Sie es.",
  "email.confirmedMore":
    "Ihre frühere Adresse hat eine Mail darüber bekommen. Mit dem Link darin lässt sie sich 7 Tage lang zurückholen.",
  "email.undone": "Ihre frühere E-Mail-Adresse gilt wieder",
  "email.undoneText":
    "Alle Browser und Apps, die als Sie angemeldet waren, sind abgemeldet. Melden Sie sich neu an, mit einem Link an diese Adresse.",
  "email.undoneMore":
    "War es jemand anderes? Geben Sie Ihrem Postfach ein neues Passwort, und sehen Sie nach, ob der Webhook Ihres Vereins und seine Leute noch so sind, wie Sie sie verlassen haben.",
  "email.refused": "Es wurde nichts geändert",
  "email.unknown": "Dieser Link öffnet nichts. Bitte öffnen Sie ihn genau so, wie er in der Mail steht.",
  "email.confirmExpired": "Dieser Link ist älter als 24 Stunden. Melden Sie sich an und lassen Sie sich dort einen neuen schicken.",
  "email.undoExpired":
    "Dieser Link ist älter als 7 Tage. Wenn Sie Ihre Adresse nicht geändert haben, antworten Sie auf die Mail, in der er stand.",
  "email.confirmSuperseded": "Seit dieser Link verschickt wurde, ist Ihre Adresse anders geändert oder ein neuerer Link verschickt worden.",
  "email.undoSuperseded": "Seit dieser Link verschickt wurde, hat der Link einer anderen Mail oder unser Support Ihre Adresse berichtigt.",
  "email.confirmUsed": "Dieser Link hat seine Arbeit schon getan: Die Adresse wurde damit bestätigt.",
  "email.undoUsed": "Dieser Link hat seine Arbeit schon getan: Die frühere Adresse wurde damit zurückgeholt.",
  "email.confirmTaken":
    "Diese Adresse benutzt schon jemand anderes, sie kann deshalb nicht Ihre werden. Melden Sie sich an und wählen Sie eine andere.",
  "email.undoTaken":
    "Ihre frühere Adresse ist inzwischen anderswo in Gebrauch und lässt sich nicht von selbst zurückholen. Antworten Sie auf die Mail, in der der Link stand, dann helfen wir.",
  "email.suspended": "Dieser Verein ist zurzeit gesperrt. Versuchen Sie es noch einmal, wenn das aufgehoben ist.",
};
