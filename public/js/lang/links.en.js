// The English words that only the pages say that mailed links lead to, magic/ and proof/, beside those that stand in them.

export default {
  "magic.submitting": "Signing in…",
  "magic.ask": "Type your e-mail address or your club’s web address. We mail a sign-in link to the club’s administrator.",
  "magic.used": "This link has been used or has expired. Links work once, for 24 hours. You can ask for a fresh one.",
  "magic.neither": "This is neither an e-mail address nor a web address.",
  "magic.signedIn": ({ name, time }) => `You are signed in to ${name} until ${time}.`,
  "magic.codeShape": "The code has six digits.",
  "magic.codeWrong": "This code is not right, has been used or is too old. Try again, or ask for a new mail.",
  "magic.running": "Your club is up and running.",
  "magic.look": "Looking up your club…",

  "proof.submitting": "Confirming…",
  "proof.missing": "This page needs the link from your mail. You can ask for a new one.",
  "proof.used":
    "This link has been used, is older than 24 hours, or a newer mail has taken its place. Ask for a new one: if your address is confirmed already, it signs you in.",
  "proof.taken":
    "Another club has been confirmed with this address before. You can sign in to that one, or set up yours again with another address.",
  "proof.done": "Your address is confirmed",
  "proof.handed": ({ name }) => `The tab in which you set up ${name} goes on by itself. You can close this one.`,
  "proof.here": "Go on here instead",
};
