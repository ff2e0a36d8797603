// The same in German.

export default {
  "code.heading": "E-Mail-Adresse bestätigen",
  "code.sent": "Wir haben einen sechsstelligen Code und einen Link dorthin geschickt.",
  "code.wrongAddress": "Falsche Adresse?",
  "code.label": "Code aus der Mail",
  "code.submit": "Bestätigen",
  "code.submitting": "Wird bestätigt …",
  "code.hint": "Oder öffnen Sie den Link in der Mail, auf irgendeinem Gerät. Unten können Sie inzwischen weitermachen.",
  "code.again": "Neuen schicken",
  "code.againIn": ({ n }) => `Neuen schicken in ${n} s`,
  "code.againAt": ({ time }) => `Neuen schicken etwa um ${time}`,
  "code.sending": "Wird geschickt …",
  "code.onItsWay": "Ein neuer Code ist unterwegs. Sehen Sie auch im Spam-Ordner nach.",
  "code.shape": "Der Code hat sechs Ziffern.",
  "code.wrong_code": ({ n }) =>
    n === 1 ? "Das ist nicht der Code. Sie haben noch einen Versuch." : `Das ist nicht der Code. Sie haben noch ${n} Versuche.`,
  "code.burnt_code": "Zu viele falsche Codes. Dieser gilt nicht mehr: Lassen Sie sich einen neuen schicken.",
  "code.expired_code": "Dieser Code gilt nicht mehr: Ein Code lebt 30 Minuten. Lassen Sie sich einen neuen schicken.",
  "code.tooOften": ({ time }) => `Das ist fürs Erste genug. Etwa um ${time} geht es wieder.`,
  "code.taken":
    "Mit dieser Adresse ist schon ein anderer Verein bestätigt. Geben Sie eine andere an, oder melden Sie sich bei jenem Verein an.",
  "code.newAddress": "Ihre E-Mail-Adresse",
  "code.correct": "Code dorthin schicken",
  "code.correcting": "Wird geschickt …",
  "code.leave": "So lassen",
  "code.proven": "Ihre Adresse ist bestätigt",
  "code.yours": "Danke. Was wir Ihnen mitzuteilen haben, geht dorthin.",
  "code.byLink": "Um in diesem Tab weiterzumachen, öffnen Sie den Link in der Mail, die wir dorthin geschickt haben, oder lassen Sie sich eine neue schicken.",
  "code.elsewhere": "Das geschah in einem anderen Tab oder auf einem anderen Gerät. Diese Seite zeigt, wie die Einrichtung vorangeht. Um hier etwas zu ändern, melden Sie sich mit einem Link aus einer Mail an.",
  "code.startOver": ({ name, email }) =>
    `„${name}“ ist angelegt. Wenn niemand ${email} bestätigt, verfällt das nach drei Tagen von selbst; der Link, den wir dorthin geschickt haben, führt zurück. Nur dieser Browser vergisst den Verein. Von vorn beginnen?`,
  "code.lapsed": "Drei Tage lang hat niemand diese Adresse bestätigt, darum ist die Anmeldung verfallen. Alles ist wieder frei: Beginnen Sie mit „Von vorn beginnen“ neu.",

  "progress.unproven":
    "Alles ist bereit. Sobald Sie Ihre E-Mail-Adresse bestätigt haben, beginnt die Einrichtung von selbst: hier, oder auf welchem Gerät auch immer Sie den Link in der Mail öffnen.",
  "session.ended":
    "Ihre Adresse ist in einem anderen Tab oder auf einem anderen Gerät bestätigt worden. Um hier etwas zu ändern, melden Sie sich an: Ein frischer Link bringt Sie hierher zurück.",
};
