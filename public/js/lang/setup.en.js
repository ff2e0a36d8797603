// The English words of a set-up that the wizard and the console say: its steps, why it stopped and what helps.

export default {
  "stage.pending": "Waiting",
  "stage.running": "Working…",
  "stage.retry": ({ n }) =>
    n > 90
      ? `No answer yet, trying again in ${Math.round(n / 60)} min`
      : n > 0
        ? `No answer yet, trying again in ${n} s`
        : "Trying again now",
  "stage.completed": "Done",
  "stage.failed": "Did not work",
  "stage.skipped": "Not needed",
  "stage.warning": "Left for later",
  "task.seed_defaults": "Preparing your club’s pages",
  "task.configure_routing": "Setting up your web address",
  "task.validate_webhook": "Saying hello to Make",
  "task.create_spreadsheet": "Creating the club’s spreadsheet",
  "task.verify_spreadsheet": "Checking that the spreadsheet opens",
  "task.create_owner": "Making you the administrator",
  "task.send_welcome_email": "Preparing your welcome mail",
  "task.activate": "Opening the club",
  "failed.headingResumed": "The set-up is interrupted",
  "failed.resume": ({ time }) =>
    `You need not do anything: we try again by ourselves at about ${time}, sooner if we hear that the trouble is over. You may close this page, or try now.`,
  "failed.resumeSoon":
    "You need not do anything: we try again by ourselves as soon as the trouble is over. You may close this page, or try now.",
  "failed.at": ({ step }) => `It stopped at “${step}”.`,
  "failed.why": ({ reason }) => `What we were told: ${reason}`,
  "failed.do.WEBHOOK_REJECTED": "Switch your scenario on in Make, check the address and the secret there, then try again.",
  "failed.do.WEBHOOK_MISSING": "Enter the address of your webhook: the set-up goes on from there.",
  "failed.do.UPSTREAM_UNAVAILABLE":
    "You need not do anything: we try again by ourselves during the next hours. If you know that it works again, try now.",
  "failed.do.UPSTREAM_UNAVAILABLE.validate_webhook":
    "Look in Make whether your webhook is running and its queue has room. We try again by ourselves during the next hours; as soon as it works, you can try now.",
  "failed.do.DEADLINE_EXCEEDED": "Try again: it goes on where it stopped.",
  "failed.do.SUBDOMAIN_CONFLICT":
    "The web address is in use elsewhere. Trying again helps only once it is free; our support can change it for you.",
  "failed.do.SUBDOMAIN_REJECTED": "This is on our side: we have been told and look into it. Try again later.",
  "failed.do.SPREADSHEET_REJECTED": "This is on our side or at Google. Try again in a few minutes.",
  "failed.do.SPREADSHEET_MISSING": "This is on our side or at Google. Try again in a few minutes.",
  "failed.do.MISCONFIGURED": "This is on our side: we have been told and mend it. Try again later.",
  "failed.do.CANCELLED": "Ask our support before you try again: they know why it was stopped.",
  "failed.do.TENANT_GONE": "Ask our support, if you did not expect that.",
  "failed.do.other": "This is on our side. Try again in a few minutes.",
  "failed.retrying": "Starting again…",
  "failed.support": ({ id }) => `If it keeps failing, tell support this number: ${id}`,
  "failed.notRetryable": "Nothing is waiting to be tried again. We look at the state once more.",
};
