// The English words of the panel that asks for the proof of an address: loaded with it.

export default {
  "code.heading": "Confirm your e-mail address",
  "code.sent": "We have mailed a six-digit code and a link to this address.",
  "code.wrongAddress": "Wrong address?",
  "code.label": "Code from the mail",
  "code.submit": "Confirm",
  "code.submitting": "Confirming…",
  "code.hint": "Or open the link in the mail, on any device. Meanwhile you can go on below.",
  "code.again": "Send a new one",
  "code.againIn": ({ n }) => `Send a new one in ${n} s`,
  "code.againAt": ({ time }) => `Send a new one at about ${time}`,
  "code.sending": "Sending…",
  "code.onItsWay": "A new code is on its way. Look into the spam folder, too.",
  "code.shape": "The code has six digits.",
  "code.wrong_code": ({ n }) =>
    n === 1 ? "This is not the code. You can try once more." : `This is not the code. You can try ${n} times more.`,
  "code.burnt_code": "Too many wrong codes. This one counts no more: send a new one.",
  "code.expired_code": "This code counts no more: a code lives for 30 minutes. Send a new one.",
  "code.tooOften": ({ time }) => `That is enough for now. You can do this again at about ${time}.`,
  "code.taken": "Another club has been confirmed with this address. Give another address, or sign in to that club.",
  "code.newAddress": "Your e-mail",
  "code.correct": "Send the code there",
  "code.correcting": "Sending…",
  "code.leave": "Leave it as it is",
  "code.proven": "Your address is confirmed",
  "code.yours": "Thank you. What we have to tell you goes there.",
  "code.byLink": "To go on in this tab, open the link in the mail that we sent there, or have another one sent.",
  "code.elsewhere": "It was done in another tab or on another device. This page shows how the set-up goes. To change anything here, sign in by a mailed link.",
  "code.startOver": ({ name, email }) =>
    `“${name}” has been created. It lapses by itself after three days if nobody confirms ${email}; the link that we mailed there leads back to it. Only this browser forgets it. Start over?`,
  "code.lapsed": "Nobody confirmed this address within three days, so the sign-up has lapsed. Everything is free again: press “Start over” to begin anew.",

  "progress.unproven":
    "Everything is ready. As soon as you have confirmed your e-mail address, the set-up begins by itself: here, or on whichever device you open the link in the mail.",
  "session.ended":
    "Your address has been confirmed in another tab or on another device. To change anything here, sign in: a fresh link takes you back here.",
};
