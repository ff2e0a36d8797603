// The English words that scripts say. What the pages say by themselves stands in them, so that they read without JavaScript: under
// `data-t`, and `data-ta` for an attribute.
// Refusals of single fields and reasons of a failed set-up are missing here: the server says those in English itself.
// A value that is a function gets the arguments of `say` and answers the sentence.

export default {
  "page.terms": "Terms",
  "page.privacy": "Privacy",
  "page.imprint": "Imprint",
  "page.startOverSure": "Forget what was typed in this form and start over? No club has been created from it.",
  "page.startOverMaybe": ({ name, email }) =>
    `Forget what was typed in this form and start over? “${name}” may have been created already: then it stays, and a sign-in link, sent to ${email}, leads to it.`,
  "page.startOverMade": ({ name, email }) =>
    `“${name}” has been created and stays: its web address and your e-mail address remain in use. Only this browser forgets it. A sign-in link, sent to ${email}, takes you back. Start over?`,
  "page.startOverQueued": ({ name, email }) =>
    `“${name}” has been created and stays, and its set-up goes on. Only this browser forgets it. A sign-in link, sent to ${email}, takes you back. Start over?`,
  "page.startOverDone": ({ name }) => `“${name}” is set up and stays. Only this page forgets it. Start over?`,
  "page.leadUnkept":
    "Four short steps, about three minutes. This browser keeps nothing for us: what you type is lost when you close or reload this page.",

  "elsewhere.busy": ({ name }) => `“${name}” is open in another tab of this browser. Here you can set up a different club.`,
  "elsewhere.free": ({ name }) => `You had begun “${name}” in this browser. It is kept, apart from what you are typing now.`,
  "elsewhere.unnamed": "another club",

  "step.confirm": "Confirm",
  "step.position": ({ n, name }) => `Step ${n} of 4: ${name}`,

  "club.submitting": "Creating your club…",

  "human.tick": "Please tick the box above.",
  "human.failed": "The check that you are a person did not work. Press the button to try again.",
  "human.blocked":
    "The check that you are a person could not be loaded. Press the button to try again.",
  "human.unsupported":
    "The check that you are a person does not work in this browser.",
  "human.missing":
    "Nothing was sent: the check that you are a person is not done. Press the button to try again.",

  "made.earlier": ({ name }) =>
    `When the connection broke, your club had already been created as “${name}”. You can carry on with it.`,
  "made.planChanged": ({ plan }) => `Your promo code puts the club on the ${plan} plan.`,
  "made.discount": ({ percent }) => `Your promo code takes ${percent} % off.`,

  "slug.checking": "Checking this address…",
  "slug.free": ({ address }) => `${address} is free.`,
  "slug.taken": "That address is taken. These are free:",
  "slug.takenOnly": "That address is taken. Please choose another.",
  "slug.reserved": "That word is kept for the service itself. How about one of these?",
  "slug.reservedOnly": "That word is kept for the service itself. Please choose another.",
  "slug.shape": "3 to 63 characters: a–z, 0–9 and hyphens, no hyphen at either end, nor as third and fourth together.",
  "slug.ask": "We can’t spell this name in an address. Please type one: Latin letters, digits and hyphens.",
  "slug.later": "We check this address when you continue.",
  "slug.use": ({ slug }) => `Use ${slug}`,

  "promo.checking": "Checking the code…",
  "promo.discount": ({ percent }) => `This code gives ${percent} % off.`,
  "promo.free": "This code makes it free of charge.",
  "promo.lifetime": "For as long as the club is with us.",
  "promo.plan": ({ plan }) => `It puts your club on the ${plan} plan.`,
  "promo.left": ({ n }) => (n === 1 ? "One use left." : `${n} uses left.`),
  "promo.ok": "This code is valid.",
  "promo.later": "We check the code when you continue.",
  "promo.unknown": "We don’t know this code. Check the spelling, or leave the field empty.",
  "promo.inactive": "This code is no longer in use. Leave the field empty to go on without it.",
  "promo.not_started": "This code is not valid yet. Leave the field empty to go on without it.",
  "promo.expired": "This code has expired. Leave the field empty to go on without it.",
  "promo.not_allowed": "This code is meant for another club. Leave the field empty to go on without it.",
  "promo.exhausted": "This code has been used up. Leave the field empty to go on without it.",

  "colours.kit.green": "Green and white",
  "colours.kit.claret": "Claret and blue",
  "colours.kit.red": "Red and white",
  "colours.kit.blue": "Blue and white",
  "colours.kit.amber": "Amber and black",
  "colours.kit.black": "Black and white",
  "colours.kit.navy": "Navy and gold",
  "colours.kit.sky": "Sky blue and maroon",
  "colours.shape": "A colour looks like #1A6B3C.",
  "colours.submitting": "Saving…",
  "colours.yourClub": "Your club",

  "connect.secretAnew":
    "You handed a secret over before; it can’t be shown here. Type that one, or copy this new one into your scenario.",
  "connect.copied": "Copied.",
  "connect.notCopied": "Please copy it by hand.",
  "connect.testing": "Sending a test to Make…",
  "connect.testOk": ({ ms }) => `Make has received the test (${ms} ms). Everything is ready.`,
  "connect.test410": "Make says that no scenario is listening. Switch the scenario on in Make and test again.",
  "connect.test404": "Make does not know this address. Copy it again from the webhook in Make.",
  "connect.test401": "Make has another secret, or none (answer 401). Copy the one above into “Your secret” there and test again.",
  "connect.testRefused": ({ status }) => `Make refused the test (answer ${status}). Check the webhook’s settings in Make.`,
  "connect.testBusy": ({ status }) =>
    `Make is having trouble at the moment (answer ${status}). You can continue; we keep trying.`,
  "connect.testSilent": "Make did not answer. Check the address; if it is right you can continue, we keep trying.",
  "connect.submitting": "Handing over…",
  "connect.urlHost": "This address is not at Make. It should start with https://hook. and contain make.com.",
  "connect.urlShape": "Please paste the whole address; it starts with https://.",
  "connect.secretShort": "The secret needs at least 16 characters.",

  "progress.percent": ({ percent }) => `${percent} %`,
  "progress.lostTouch": ({ n }) => `We can’t reach the service. The set-up goes on without us; looking again in ${n} s.`,
  "progress.now": ({ step }) => `Now: ${step}`,
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

  "done.heading": ({ name }) => `${name} is ready`,
  "done.mail": ({ email }) => `A welcome mail is on its way to ${email}. The link in it signs you in.`,
  "done.mailPlain": "A welcome mail is on its way. The link in it signs you in.",
  "done.noMail": "We could not send the welcome mail. Ask for a sign-in link instead:",
  "done.starter": "From now on, everything that happens in the club is sent to your scenario in Make.",
  "done.pro": "The club’s Google spreadsheet has been created.",
  "done.trial": ({ date }) => `Your free trial runs until ${date}.`,

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

  "wait.lost": ({ n }) => `We could not reach the service. Trying again in ${n} s.`,
  "wait.slow": "This takes longer than usual. We are still trying.",
  "wait.offline": "No connection. We send this as soon as you are back online.",
  "wait.limited": ({ n }) => `Too many attempts just now. Going on in ${n} s.`,
  "wait.busy": ({ n }) => `The service is busy. Trying again in ${n} s.`,
  "wait.stop": "Stop",
  "wait.now": "Try now",
  "wait.stopped": "Stopped. Nothing is lost: press the button again when you like.",
  "wait.gaveUp": "We still could not reach the service. Nothing is lost: try again in a few minutes.",

  "text.line": "Line breaks are not possible here.",
  "text.control": "There is a control character in this text that can’t be seen. Please delete it or type the text anew.",
  "text.direction": "There is a character in this text that turns its direction and can’t be seen. Please type the text anew.",
  "text.long": ({ n }) => `Please use at most ${n} characters.`,

  "error.check": "Please check this.",
  "error.fields": ({ n }) => (n === 1 ? "One field needs your attention." : `${n} fields need your attention.`),
  "error.required": "Please fill this in.",
  "error.SLUG_TAKEN": "That address has just been taken. Please choose another.",
  "error.EMAIL_EXISTS": "There is already a club with this e-mail.",
  "error.TENANT_CANCELLED": "The club that was set up from here has been removed. To set it up anew, press the button once more.",
  "error.WEBHOOK_NOT_STORED": "Only the address that is stored can be tested. Press “Set up my club”: that sends it a test first.",
  "error.TURNSTILE_FAILED":
    "We could not see that a person sent this. Nothing is lost: press the button again, or reload the page.",
  "error.SIGNUPS_DISABLED": ({ time }) =>
    `We are not taking new clubs at the moment. Please come back at about ${time}; what you typed is kept.`,
  "error.EMAIL_UNPROVEN": "Please confirm your e-mail address first: the code is in the mail that we sent you.",
  "error.PLAN_MISMATCH": "Your club is on the other plan. We take you to the right page.",
  "error.RATE_LIMITED": ({ time }) => `Too many attempts. Please try again at about ${time}.`,
  "error.replayed": ({ email }) => `This club has been created before. We have mailed a sign-in link to ${email}.`,
  "error.unexpected": ({ id }) => `Something went wrong on our side. Nothing is lost; please try again. (${id})`,

  "session.expired":
    "For your safety you have been signed out. What you typed is kept; a fresh sign-in link takes you back here.",
  "session.linking": "Sending…",
  "session.sent": ({ email }) => `If ${email} belongs to a club, a link is on its way. It works once, for 24 hours.`,
  "session.resumed": ({ name, time }) => `You are signed in to ${name} until ${time}.`,
};
