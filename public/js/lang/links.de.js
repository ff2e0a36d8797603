// The same in German.

export default {
  "magic.title": "Anmelden · Tenantry",
  "magic.heading": "Bei Ihrem Verein anmelden",
  "magic.lead": "Ein Druck meldet Sie auf diesem Gerät an. Der Link gilt einmal.",
  "magic.wait": "Einen Augenblick …",
  "magic.submit": "Anmelden",
  "magic.submitting": "Sie werden angemeldet …",
  "magic.noscript":
    "Zum Anmelden wird JavaScript gebraucht. Bitte schalten Sie es ein oder öffnen Sie den Link auf einem anderen Gerät.",
  "magic.ask":
    "Geben Sie Ihre E-Mail-Adresse oder die Webadresse Ihres Vereins ein. Wir schicken dem, der den Verein verwaltet, einen Anmelde-Link.",
  "magic.used":
    "Dieser Link ist verbraucht oder abgelaufen. Links gelten einmal, 24 Stunden lang. Sie können einen frischen bekommen.",
  "magic.who": "Ihre E-Mail-Adresse oder Webadresse des Vereins",
  "magic.neither": "Das ist weder eine E-Mail-Adresse noch eine Webadresse.",
  "magic.signedIn": ({ name, time }) => `Sie sind bei ${name} angemeldet bis ${time}.`,
  "magic.code": "Oder geben Sie den Code aus der Mail ein",
  "magic.codeHint": "Eine Mail ohne Code zum Anmelden bittet Sie, erst Ihre Adresse zu bestätigen: Öffnen Sie den Link darin.",
  "magic.codeShape": "Der Code hat sechs Ziffern.",
  "magic.codeWrong": "Dieser Code stimmt nicht, ist verbraucht oder zu alt. Versuchen Sie es noch einmal, oder lassen Sie sich eine neue Mail schicken.",
  "magic.running": "Ihr Verein läuft.",
  "magic.look": "Wir sehen nach Ihrem Verein …",
  "magic.open": "Weiter",

  "proof.title": "Adresse bestätigen · Tenantry",
  "proof.heading": "E-Mail-Adresse bestätigen",
  "proof.lead": "Ein Druck bestätigt, dass diese Adresse Ihre ist, und bringt Sie zu Ihrem Verein. Der Link gilt einmal.",
  "proof.submit": "Adresse bestätigen",
  "proof.submitting": "Wird bestätigt …",
  "proof.noscript":
    "Zum Bestätigen wird JavaScript gebraucht. Bitte schalten Sie es ein oder öffnen Sie den Link auf einem anderen Gerät: Er gilt einmal, 24 Stunden lang.",
  "proof.missing": "Diese Seite braucht den Link aus Ihrer Mail. Sie können einen neuen bekommen.",
  "proof.used":
    "Dieser Link ist verbraucht, älter als 24 Stunden oder durch eine neuere Mail ersetzt. Lassen Sie sich einen neuen schicken: Ist Ihre Adresse schon bestätigt, meldet er Sie an.",
  "proof.taken":
    "Mit dieser Adresse ist schon ein anderer Verein bestätigt. Sie können sich bei jenem anmelden oder Ihren mit einer anderen Adresse noch einmal einrichten.",
  "proof.done": "Ihre Adresse ist bestätigt",
  "proof.handed": ({ name }) => `Der Tab, in dem Sie ${name} einrichten, macht von selbst weiter. Diesen hier können Sie schließen.`,
  "proof.here": "Lieber hier weitermachen",
};
