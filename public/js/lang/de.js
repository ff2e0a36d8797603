// Every German word the pages say, with the keys of en.js, which a test compares. Also what the server says only in English:
// `issue.<field>` and `reason.<code>`.

export default {
  "page.title": "Verein einrichten · Tenantry",
  "page.skip": "Zum Formular springen",
  "page.signIn": "Anmelden",
  "page.terms": "Bedingungen",
  "page.privacy": "Datenschutz",
  "page.imprint": "Impressum",
  "page.heading": "Verein einrichten",
  "page.lead": "Vier kurze Schritte, etwa drei Minuten. Was Sie eingeben, bleibt auf diesem Gerät, bis Sie fertig sind.",
  "page.steps": "Schritte",
  "page.noscript":
    "Dieses Formular arbeitet am besten mit JavaScript. Auch ohne können Sie diesen ersten Schritt abschicken: Wir legen Ihren Verein an und sagen Ihnen, wie es weitergeht.",
  "page.startOver": "Von vorn beginnen",
  "page.startOverSure": "Die Eingaben in diesem Formular vergessen und von vorn beginnen? Ein Verein ist daraus noch nicht angelegt.",
  "page.startOverMaybe": ({ name, email }) =>
    `Die Eingaben in diesem Formular vergessen und von vorn beginnen? „${name}“ ist vielleicht schon angelegt: Dann bleibt der Verein bestehen, und ein Anmelde-Link an ${email} führt zu ihm.`,
  "page.startOverMade": ({ name, email }) =>
    `„${name}“ ist angelegt und bleibt bestehen: Webadresse und E-Mail-Adresse sind weiter vergeben. Nur dieser Browser vergisst den Verein. Ein Anmelde-Link an ${email} führt Sie zurück. Von vorn beginnen?`,
  "page.startOverQueued": ({ name, email }) =>
    `„${name}“ ist angelegt und bleibt bestehen, und die Einrichtung geht weiter. Nur dieser Browser vergisst den Verein. Ein Anmelde-Link an ${email} führt Sie zurück. Von vorn beginnen?`,
  "page.startOverDone": ({ name }) => `„${name}“ ist eingerichtet und bleibt bestehen. Nur diese Seite vergisst den Verein. Von vorn beginnen?`,
  "page.leadUnkept":
    "Vier kurze Schritte, etwa drei Minuten. Dieser Browser bewahrt nichts auf: Was Sie eingeben, ist weg, wenn Sie die Seite schließen oder neu laden.",
  "page.offline": "Keine Verbindung. Ihre Eingaben sind sicher; es geht weiter, sobald Sie wieder online sind.",
  "page.required": "Alles wird gebraucht, was nicht „freiwillig“ heißt.",

  "elsewhere.busy": ({ name }) =>
    `„${name}“ ist in einem anderen Tab dieses Browsers offen. Hier können Sie einen anderen Verein einrichten.`,
  "elsewhere.free": ({ name }) =>
    `Sie hatten in diesem Browser „${name}“ begonnen. Das bleibt erhalten, getrennt von dem, was Sie jetzt eingeben.`,
  "elsewhere.unnamed": "ein anderer Verein",
  "elsewhere.open": "Damit weitermachen",
  "elsewhere.close": "In Ordnung",

  "step.club": "Ihr Verein",
  "step.colours": "Farben",
  "step.connect": "Make",
  "step.confirm": "Prüfen",
  "step.progress": "Aufbau",
  "step.position": ({ n, name }) => `Schritt ${n} von 4: ${name}`,

  "club.heading": "Ihr Verein",
  "club.name": "Name des Vereins",
  "club.slug": "Webadresse",
  "club.slugHint": "Hier finden Mitglieder den Verein. Kleinbuchstaben, Ziffern und Bindestriche.",
  "club.email": "Ihre E-Mail-Adresse",
  "club.emailHint": "Dorthin schicken wir Ihren Anmelde-Link. Sie verwalten dann den Verein.",
  "club.plan": "Tarif",
  "club.starter": "Starter",
  "club.starterText":
    "Seiten und App für Ihren Verein. Was im Verein geschieht, geht an Ihre eigenen Abläufe in Make, die Sie in Schritt 3 verbinden.",
  "club.pro": "Pro",
  "club.proText":
    "Seiten und App für Ihren Verein. Wir legen eine Google-Tabelle für den Verein an und halten sie aktuell. Nichts zu verbinden.",
  "club.trial": "Beide Tarife sind 14 Tage lang kostenlos.",
  "club.promo": "Aktionscode (freiwillig)",
  "club.submit": "Verein anlegen",
  "club.submitting": "Verein wird angelegt …",

  "human.tick": "Bitte setzen Sie oben das Häkchen.",
  "human.failed": "Die Prüfung, ob Sie ein Mensch sind, hat nicht geklappt. Drücken Sie den Knopf, um es noch einmal zu versuchen.",
  "human.blocked":
    "Die Prüfung, ob Sie ein Mensch sind, konnte nicht geladen werden. Drücken Sie den Knopf, um es noch einmal zu versuchen.",
  "human.unsupported":
    "Die Prüfung, ob Sie ein Mensch sind, geht in diesem Browser nicht.",
  "human.missing":
    "Nichts wurde abgeschickt: Die Prüfung, ob Sie ein Mensch sind, steht noch aus. Drücken Sie den Knopf, um es noch einmal zu versuchen.",

  "made.heading": "Ihr Verein ist angelegt",
  "made.text": "Diese Angaben stehen fest. Sie können dort weitermachen, wo Sie aufgehört haben.",
  "made.name": "Name",
  "made.address": "Webadresse",
  "made.email": "E-Mail",
  "made.plan": "Tarif",
  "made.continue": "Weitermachen",
  "made.earlier": ({ name }) =>
    `Als die Verbindung abriss, war Ihr Verein schon als „${name}“ angelegt. Sie können damit weitermachen.`,
  "made.planChanged": ({ plan }) => `Durch Ihren Aktionscode hat der Verein den Tarif ${plan}.`,
  "made.discount": ({ percent }) => `Mit Ihrem Aktionscode sparen Sie ${percent} %.`,

  "slug.checking": "Adresse wird geprüft …",
  "slug.free": ({ address }) => `${address} ist frei.`,
  "slug.taken": "Diese Adresse ist vergeben. Frei sind:",
  "slug.takenOnly": "Diese Adresse ist vergeben. Bitte wählen Sie eine andere.",
  "slug.reserved": "Dieses Wort braucht der Dienst selbst. Wie wäre es mit einem von diesen?",
  "slug.reservedOnly": "Dieses Wort braucht der Dienst selbst. Bitte wählen Sie ein anderes.",
  "slug.shape":
    "3 bis 63 Zeichen: a–z, 0–9 und Bindestriche, am Anfang und Ende kein Bindestrich, auch nicht als drittes und viertes zusammen.",
  "slug.ask":
    "Diesen Namen können wir in keine Adresse schreiben. Bitte tippen Sie eine: lateinische Buchstaben, Ziffern und Bindestriche.",
  "slug.later": "Wir prüfen diese Adresse, wenn Sie weitergehen.",
  "slug.use": ({ slug }) => `${slug} nehmen`,

  "promo.checking": "Code wird geprüft …",
  "promo.discount": ({ percent }) => `Dieser Code bringt ${percent} % Nachlass.`,
  "promo.free": "Mit diesem Code ist es kostenlos.",
  "promo.lifetime": "Solange der Verein bei uns ist.",
  "promo.plan": ({ plan }) => `Ihr Verein bekommt damit den Tarif ${plan}.`,
  "promo.left": ({ n }) => (n === 1 ? "Noch einmal einlösbar." : `Noch ${n}-mal einlösbar.`),
  "promo.ok": "Dieser Code gilt.",
  "promo.later": "Wir prüfen den Code, wenn Sie weitergehen.",
  "promo.unknown": "Diesen Code kennen wir nicht. Prüfen Sie die Schreibweise oder lassen Sie das Feld leer.",
  "promo.inactive": "Dieser Code gilt nicht mehr. Lassen Sie das Feld leer, um ohne ihn weiterzumachen.",
  "promo.not_started": "Dieser Code gilt noch nicht. Lassen Sie das Feld leer, um ohne ihn weiterzumachen.",
  "promo.expired": "Dieser Code ist abgelaufen. Lassen Sie das Feld leer, um ohne ihn weiterzumachen.",
  "promo.not_allowed": "Dieser Code ist für einen anderen Verein. Lassen Sie das Feld leer, um ohne ihn weiterzumachen.",
  "promo.exhausted": "Dieser Code ist aufgebraucht. Lassen Sie das Feld leer, um ohne ihn weiterzumachen.",

  "colours.heading": "Ihre Farben",
  "colours.lead": "Sie färben den Kopf Ihrer Vereinsseiten. Sie können sie später ändern.",
  "colours.primary": "Hauptfarbe",
  "colours.primaryPick": "Hauptfarbe auswählen",
  "colours.secondary": "Zweite Farbe",
  "colours.secondaryPick": "Zweite Farbe auswählen",
  "colours.kits": "Oder beginnen Sie mit einem Trikot",
  "colours.kit.green": "Grün und Weiß",
  "colours.kit.claret": "Weinrot und Hellblau",
  "colours.kit.red": "Rot und Weiß",
  "colours.kit.blue": "Blau und Weiß",
  "colours.kit.amber": "Gelb und Schwarz",
  "colours.kit.black": "Schwarz und Weiß",
  "colours.kit.navy": "Marineblau und Gold",
  "colours.kit.sky": "Himmelblau und Dunkelrot",
  "colours.shape": "Eine Farbe sieht so aus: #1A6B3C.",
  "colours.submit": "Farben speichern",
  "colours.submitting": "Wird gespeichert …",
  "colours.preview": "Vorschau",
  "colours.previewOf": "Vorschau: der Kopf Ihrer Vereinsseiten",
  "colours.yourClub": "Ihr Verein",
  "colours.fixtures": "Spielplan",
  "colours.news": "Neues",
  "colours.team": "Team",
  back: "Zurück",

  "connect.heading": "Make verbinden",
  "connect.lead": "In Make laufen die Abläufe Ihres Vereins. Nennen Sie uns die Adresse Ihres Webhooks dort.",
  "connect.help": "Wie komme ich daran?",
  "connect.help1": "Melden Sie sich bei make.com an und legen Sie ein neues Szenario an.",
  "connect.help2": "Wählen Sie als erstes Modul „Webhooks“, dann „Custom webhook“, dann „Add“.",
  "connect.help3": "Make zeigt eine Adresse, die mit https://hook. beginnt. Kopieren Sie sie und fügen Sie sie unten ein.",
  "connect.help4":
    "Kopieren Sie das Geheimnis von unten in Ihr Szenario, damit es unsere Nachrichten von fremden unterscheiden kann.",
  "connect.help5": "Schalten Sie das Szenario ein, kommen Sie hierher zurück und drücken Sie „Verein einrichten“: Zuerst geht dann ein Test dorthin.",
  "connect.guide": "Jeder Schritt mit Bildern, und ein Szenario zum Importieren (neuer Tab)",
  "connect.guideAt": "/help/make/de/",
  "connect.url": "Adresse des Webhooks",
  "connect.secret": "Geheimnis",
  "connect.secretHint": "Mindestens 16 Zeichen. Wir haben eines für Sie gemacht; behalten Sie es oder tippen Sie ein eigenes.",
  "connect.secretAnew":
    "Sie haben schon ein Geheimnis übergeben; es lässt sich hier nicht zeigen. Tippen Sie jenes ein, oder kopieren Sie dieses neue in Ihr Szenario.",
  "connect.copy": "Kopieren",
  "connect.copied": "Kopiert.",
  "connect.notCopied": "Bitte kopieren Sie es von Hand.",
  "connect.test": "Test senden",
  "connect.testing": "Test geht an Make …",
  "connect.testOk": ({ ms }) => `Make hat den Test bekommen (${ms} ms). Alles ist bereit.`,
  "connect.test410": "Make sagt, dass kein Szenario zuhört. Schalten Sie das Szenario in Make ein und testen Sie noch einmal.",
  "connect.test404": "Make kennt diese Adresse nicht. Kopieren Sie sie noch einmal aus dem Webhook in Make.",
  "connect.test401":
    "Make hat ein anderes Geheimnis oder keines (Antwort 401). Kopieren Sie das von oben dort nach „Your secret“ und testen Sie noch einmal.",
  "connect.testRefused": ({ status }) =>
    `Make hat den Test abgelehnt (Antwort ${status}). Prüfen Sie die Einstellungen des Webhooks in Make.`,
  "connect.testBusy": ({ status }) =>
    `Make hat gerade Schwierigkeiten (Antwort ${status}). Sie können weitermachen; wir versuchen es weiter.`,
  "connect.testSilent":
    "Make hat nicht geantwortet. Prüfen Sie die Adresse; stimmt sie, können Sie weitermachen, wir versuchen es weiter.",
  "connect.submit": "Verein einrichten",
  "connect.submitting": "Wird übergeben …",
  "connect.urlHost": "Diese Adresse ist nicht bei Make. Sie sollte mit https://hook. beginnen und make.com enthalten.",
  "connect.urlShape": "Bitte fügen Sie die ganze Adresse ein; sie beginnt mit https://.",
  "connect.secretShort": "Das Geheimnis braucht mindestens 16 Zeichen.",

  "confirm.heading": "Bereit zum Einrichten",
  "confirm.lead": "Mit Pro ist nichts zu verbinden. Wenn Sie bestätigen, legen wir an:",
  "confirm.1": "die Adresse und die Seiten Ihres Vereins in Ihren Farben",
  "confirm.2": "eine Google-Tabelle für den Verein",
  "confirm.3": "Ihr Konto zum Verwalten, mit einer Begrüßungsmail",
  "confirm.submit": "Bestätigen und einrichten",

  "progress.heading": "Ihr Verein wird eingerichtet",
  "progress.lead":
    "Das dauert meist weniger als eine halbe Minute. Sie können diese Seite schließen: Gebraucht wird sie nur, wenn ein Schritt scheitert, und die Begrüßungsmail sagt Ihnen, wenn alles fertig ist.",
  "progress.bar": "Fortschritt der Einrichtung",
  "progress.percent": ({ percent }) => `${percent} %`,
  "progress.lostTouch": ({ n }) =>
    `Wir erreichen den Dienst nicht. Die Einrichtung geht ohne uns weiter; wir sehen in ${n} s wieder nach.`,
  "progress.now": ({ step }) => `Jetzt: ${step}`,
  "stage.pending": "Wartet",
  "stage.running": "Läuft …",
  "stage.retry": ({ n }) =>
    n > 90
      ? `Noch keine Antwort, neuer Versuch in ${Math.round(n / 60)} min`
      : n > 0
        ? `Noch keine Antwort, neuer Versuch in ${n} s`
        : "Neuer Versuch läuft",
  "stage.completed": "Fertig",
  "stage.failed": "Hat nicht geklappt",
  "stage.skipped": "Nicht nötig",
  "stage.warning": "Bleibt für später",
  "task.seed_defaults": "Seiten Ihres Vereins vorbereiten",
  "task.configure_routing": "Webadresse einrichten",
  "task.validate_webhook": "Make begrüßen",
  "task.create_spreadsheet": "Tabelle des Vereins anlegen",
  "task.verify_spreadsheet": "Prüfen, ob sich die Tabelle öffnen lässt",
  "task.create_owner": "Ihnen die Verwaltung übergeben",
  "task.send_welcome_email": "Begrüßungsmail vorbereiten",
  "task.activate": "Verein eröffnen",

  "done.heading": ({ name }) => `${name} ist bereit`,
  "done.headingPlain": "Ihr Verein ist bereit",
  "done.address": "Die Adresse Ihres Vereins",
  "done.next": "Wie es weitergeht",
  "done.mail": ({ email }) => `Eine Begrüßungsmail ist unterwegs an ${email}. Der Link darin meldet Sie an.`,
  "done.mailPlain": "Eine Begrüßungsmail ist unterwegs. Der Link darin meldet Sie an.",
  "done.noMail": "Wir konnten die Begrüßungsmail nicht schicken. Lassen Sie sich stattdessen einen Anmelde-Link schicken:",
  "done.starter": "Ab jetzt geht alles, was im Verein geschieht, an Ihr Szenario in Make.",
  "done.pro": "Die Google-Tabelle des Vereins ist angelegt.",
  "done.trial": ({ date }) => `Sie können kostenlos ausprobieren bis ${date}.`,
  "done.share": "Geben Sie die Adresse an Ihre Mitglieder weiter.",
  "done.another": "Noch einen Verein einrichten",

  "failed.heading": "Die Einrichtung ist stehen geblieben",
  "failed.headingResumed": "Die Einrichtung ist unterbrochen",
  "failed.resume": ({ time }) =>
    `Sie müssen nichts tun: Wir versuchen es von selbst wieder, etwa um ${time}, und früher, wenn die Störung vorbei ist. Sie können die Seite schließen oder es jetzt versuchen.`,
  "failed.resumeSoon":
    "Sie müssen nichts tun: Wir versuchen es von selbst wieder, sobald die Störung vorbei ist. Sie können die Seite schließen oder es jetzt versuchen.",
  "failed.at": ({ step }) => `Sie ist bei „${step}“ stehen geblieben.`,
  "failed.why": ({ reason }) => `Das wurde uns gesagt: ${reason}`,
  "failed.do.WEBHOOK_REJECTED":
    "Schalten Sie Ihr Szenario in Make ein, prüfen Sie die Adresse und das Geheimnis dort und versuchen Sie es noch einmal.",
  "failed.do.WEBHOOK_MISSING": "Geben Sie die Adresse Ihres Webhooks ein: Die Einrichtung geht dort weiter.",
  "failed.do.UPSTREAM_UNAVAILABLE":
    "Sie müssen nichts tun: Wir versuchen es in den nächsten Stunden von selbst wieder. Wissen Sie, dass es wieder geht, versuchen Sie es jetzt.",
  "failed.do.UPSTREAM_UNAVAILABLE.validate_webhook":
    "Sehen Sie in Make nach, ob Ihr Webhook läuft und in seiner Warteschlange Platz ist. Wir versuchen es in den nächsten Stunden von selbst wieder; sobald es geht, können Sie es auch jetzt versuchen.",
  "failed.do.DEADLINE_EXCEEDED": "Versuchen Sie es noch einmal: Es geht dort weiter, wo es stehen blieb.",
  "failed.do.SUBDOMAIN_CONFLICT":
    "Die Webadresse ist anderswo in Gebrauch. Ein neuer Versuch hilft erst, wenn sie frei ist; unser Support kann sie für Sie ändern.",
  "failed.do.SUBDOMAIN_REJECTED": "Das liegt an uns: Wir wissen davon und kümmern uns darum. Versuchen Sie es später noch einmal.",
  "failed.do.SPREADSHEET_REJECTED": "Das liegt an uns oder an Google. Versuchen Sie es in ein paar Minuten noch einmal.",
  "failed.do.SPREADSHEET_MISSING": "Das liegt an uns oder an Google. Versuchen Sie es in ein paar Minuten noch einmal.",
  "failed.do.MISCONFIGURED": "Das liegt an uns: Wir wissen davon und bringen es in Ordnung. Versuchen Sie es später noch einmal.",
  "failed.do.CANCELLED": "Fragen Sie unseren Support, bevor Sie es noch einmal versuchen: Er weiß, warum es angehalten wurde.",
  "failed.do.TENANT_GONE": "Fragen Sie unseren Support, wenn Sie das nicht erwartet haben.",
  "failed.do.other": "Das liegt an uns. Versuchen Sie es in ein paar Minuten noch einmal.",
  "reason.SUBDOMAIN_CONFLICT": "Die Webadresse ist schon anderswo in Gebrauch.",
  "reason.SUBDOMAIN_REJECTED": "Cloudflare hat es abgelehnt, die Webadresse anzulegen.",
  "reason.WEBHOOK_MISSING": "Für Ihren Verein ist kein Webhook gespeichert.",
  "reason.WEBHOOK_REJECTED": "Make hat unsere Nachricht abgelehnt.",
  "reason.SPREADSHEET_REJECTED": "Google hat es abgelehnt, die Tabelle anzulegen.",
  "reason.SPREADSHEET_MISSING": "Die Tabelle war nach dem Anlegen nicht zu finden.",
  "reason.MISCONFIGURED": "Bei uns ist etwas nicht richtig eingestellt.",
  "reason.EMAIL_REJECTED": "Die Mail konnte nicht geschickt werden.",
  "reason.UPSTREAM_UNAVAILABLE": "Die Gegenseite war nicht zu erreichen, so oft wir es auch versucht haben.",
  "reason.DEADLINE_EXCEEDED": "Es hat länger gedauert, als es darf.",
  "reason.CANCELLED": "Unser Support hat die Einrichtung angehalten.",
  "reason.TENANT_GONE": "Den Verein gibt es nicht mehr.",
  "reason.COMPENSATION_REFUSED": "Was schon angelegt war, ließ sich nicht wieder entfernen.",
  "failed.kept": "Ihr Verein und alles bisher Erledigte bleiben erhalten. Ein neuer Versuch macht bei diesem Schritt weiter.",
  "failed.retry": "Noch einmal versuchen",
  "failed.retrying": "Es geht von Neuem los …",
  "failed.webhook": "Webhook ändern",
  "failed.support": ({ id }) => `Wenn es weiter nicht klappt, nennen Sie dem Support diese Nummer: ${id}`,
  "failed.notRetryable": "Es wartet nichts auf einen neuen Versuch. Wir sehen noch einmal nach dem Stand.",

  "wait.lost": ({ n }) => `Wir konnten den Dienst nicht erreichen. Neuer Versuch in ${n} s.`,
  "wait.slow": "Das dauert länger als sonst. Wir versuchen es weiter.",
  "wait.offline": "Keine Verbindung. Wir schicken dies ab, sobald Sie wieder online sind.",
  "wait.limited": ({ n }) => `Gerade waren es zu viele Versuche. Weiter in ${n} s.`,
  "wait.busy": ({ n }) => `Der Dienst ist beschäftigt. Neuer Versuch in ${n} s.`,
  "wait.stop": "Anhalten",
  "wait.now": "Jetzt versuchen",
  "wait.stopped": "Angehalten. Nichts ist verloren: Drücken Sie den Knopf wieder, wann Sie möchten.",
  "wait.gaveUp":
    "Wir konnten den Dienst weiterhin nicht erreichen. Nichts ist verloren: Versuchen Sie es in ein paar Minuten noch einmal.",

  "error.check": "Bitte prüfen Sie dies.",
  "error.fields": ({ n }) => (n === 1 ? "Ein Feld braucht Ihre Aufmerksamkeit." : `${n} Felder brauchen Ihre Aufmerksamkeit.`),
  "text.line": "Zeilenumbrüche sind hier nicht möglich.",
  "text.control": "In diesem Text steht ein unsichtbares Steuerzeichen. Bitte löschen Sie es oder tippen Sie den Text neu.",
  "text.direction":
    "In diesem Text steht ein unsichtbares Zeichen, das die Schreibrichtung umkehrt. Bitte tippen Sie den Text neu.",
  "text.long": ({ n }) => `Bitte höchstens ${n} Zeichen.`,
  "error.required": "Bitte füllen Sie dies aus.",
  "error.SLUG_TAKEN": "Diese Adresse wurde gerade vergeben. Bitte wählen Sie eine andere.",
  "error.EMAIL_EXISTS": "Zu dieser E-Mail-Adresse gibt es schon einen Verein.",
  "error.TENANT_CANCELLED":
    "Der Verein, der von hier aus eingerichtet wurde, ist entfernt worden. Um ihn neu einzurichten, drücken Sie die Taste noch einmal.",
  "error.WEBHOOK_NOT_STORED":
    "Testen lässt sich nur die gespeicherte Adresse. Drücken Sie „Verein einrichten“: Zuerst geht dann ein Test dorthin.",
  "error.TURNSTILE_FAILED":
    "Wir konnten nicht erkennen, dass ein Mensch dies abgeschickt hat. Nichts ist verloren: Drücken Sie den Knopf noch einmal oder laden Sie die Seite neu.",
  "error.SIGNUPS_DISABLED": ({ time }) =>
    `Wir nehmen zurzeit keine neuen Vereine auf. Bitte kommen Sie gegen ${time} wieder; Ihre Eingaben bleiben erhalten.`,
  "error.EMAIL_UNPROVEN": "Bitte bestätigen Sie zuerst Ihre E-Mail-Adresse: Der Code steht in der Mail, die wir geschickt haben.",
  "error.PLAN_MISMATCH": "Ihr Verein hat den anderen Tarif. Wir bringen Sie zur richtigen Seite.",
  "error.RATE_LIMITED": ({ time }) => `Zu viele Versuche. Bitte versuchen Sie es gegen ${time} noch einmal.`,
  "error.replayed": ({ email }) => `Diesen Verein gibt es schon. Wir haben einen Anmelde-Link an ${email} geschickt.`,
  "error.unexpected": ({ id }) =>
    `Bei uns ist etwas schiefgegangen. Nichts ist verloren; bitte versuchen Sie es noch einmal. (${id})`,
  "issue.clubName": "1 bis 100 Zeichen.",
  "issue.clubName.invalid_characters":
    "In diesem Namen steht ein Zeichen, das nicht möglich ist: ein Zeilenumbruch, ein Steuer- oder Richtungszeichen oder eines, das es nicht gibt.",
  "issue.clubSlug": "3 bis 63 Zeichen: a–z, 0–9 und Bindestriche, am Anfang und Ende kein Bindestrich.",
  "issue.clubSlug.reserved": "Dieses Wort braucht der Dienst selbst. Bitte wählen Sie ein anderes.",
  "issue.email":
    "Das ist keine Adresse, die Post bekommen kann. Sehen Sie auch nach unsichtbaren Zeichen: tippen Sie sie am besten neu.",
  "issue.plan": "Bitte wählen Sie einen Tarif.",
  "issue.promoCode": "Diesen Code können wir nicht annehmen.",
  "issue.primaryColor": "Eine Farbe sieht so aus: #1A6B3C.",
  "issue.secondaryColor": "Eine Farbe sieht so aus: #1A6B3C.",
  "issue.webhookUrl.host_not_allowed":
    "Diese Adresse ist nicht bei Make. Sie sollte mit https://hook. beginnen und make.com enthalten.",
  "issue.webhookUrl": "Diese Adresse kann nicht verwendet werden.",
  "issue.webhookSecret.surrounding_space": "Entfernen Sie die Leerzeichen am Anfang und am Ende.",
  "issue.webhookSecret.invalid_characters":
    "Nur einfache Buchstaben, Ziffern und Zeichen: keine Umlaute, keine Akzente und nichts Unsichtbares.",
  "issue.webhookSecret.invalid_prefix": "Schreiben Sie whsec_ mit kleinen Buchstaben.",
  "issue.webhookSecret.invalid_base64": "Nach whsec_ muss Base64 stehen. Kopieren Sie alles davon.",
  "issue.webhookSecret.too_long": "Höchstens 200 Zeichen.",
  "issue.webhookSecret": "Das Geheimnis braucht mindestens 16 Zeichen, nach whsec_ mindestens 24 Bytes in Base64.",

  "session.expired":
    "Zu Ihrer Sicherheit wurden Sie abgemeldet. Ihre Eingaben bleiben erhalten; ein frischer Anmelde-Link bringt Sie hierher zurück.",
  "session.link": "Anmelde-Link zuschicken",
  "session.linking": "Wird geschickt …",
  "session.sent": ({ email }) => `Wenn zu ${email} ein Verein gehört, ist ein Link unterwegs. Er gilt einmal, 24 Stunden lang.`,
  "session.resumed": ({ name, time }) => `Sie sind bei ${name} angemeldet bis ${time}.`,
};
