// Die deutschen Wörter einer Einrichtung, die der Assistent und die Konsole sagen: ihre Schritte, warum sie stehen blieb und was hilft.

export default {
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
};
