// The English words that only the page email/ says, beside those that stand in it.

export default {
  "email.confirmHeading": "Confirm your new e-mail address",
  "email.undoHeading": "Put your earlier e-mail address back",
  "email.confirming": "Confirming…",
  "email.undoing": "Putting it back…",
  "email.missing": "This page needs the link from your mail. Open it there once more.",
  "email.confirmed": "Your new e-mail address counts",
  "email.confirmedText": "Links and codes to sign in come here from now on. Wherever you are signed in, you stay so.",
  "email.confirmedMore": "Your earlier address has got a mail about it. With the link in there it can be put back for 7 days.",
  "email.undone": "Your earlier e-mail address counts again",
  "email.undoneText": "Every browser and app that was signed in as you is signed out. Sign in anew with a link that we mail to this address.",
  "email.undoneMore":
    "Did somebody else change it? Give your mailbox a new password, and look whether your club’s webhook and the people of your club are still as you left them.",
  "email.refused": "Nothing was changed",
  "email.unknown": "This link opens nothing. Please open it exactly as it stands in the mail.",
  "email.confirmExpired": "This link is older than 24 hours. Sign in, and ask for a new one there.",
  "email.undoExpired": "This link is older than 7 days. If you did not change your address, answer the mail that the link was in.",
  "email.confirmSuperseded": "Your address was changed otherwise since this link was mailed, or a newer link has taken its place.",
  "email.undoSuperseded": "Your address was put right by another mail’s link, or by our support, since this link was mailed.",
  "email.confirmUsed": "This link has done its work already: the address was confirmed with it.",
  "email.undoUsed": "This link has done its work already: the earlier address was put back with it.",
  "email.confirmTaken": "Somebody else uses this address already, so it can’t become yours. Sign in, and choose another one.",
  "email.undoTaken": "Your earlier address is in use elsewhere by now, so it can’t be put back by itself. Answer the mail that the link was in, and we help.",
  "email.suspended": "This club is suspended at the moment. Try again once that is lifted.",
};
