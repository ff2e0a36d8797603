// The English words that only the set-up's screen says.

import setup from "../../lang/setup.en.js";

export default {
  ...setup,
  "setup.bar": "Progress of the set-up",
  "setup.pending": "The set-up has not begun.",
  "setup.processing": "Your club is being set up. This usually takes less than half a minute; you may close this page.",
  "setup.completed": "Everything is set up.",
  "setup.doneAt": ({ time }) => `Everything is set up, since ${time}.`,
  "setup.failed": "The set-up stands still.",
  "setup.unfinished": "A step or two are missing",
  "setup.unfinishedText": "Your club has been created. Go on where you stopped: what you entered is kept.",
  "setup.goOn": "Go on with the set-up",
  "failed.heading": "The set-up has stopped",
  "failed.kept": "Your club and everything done so far are kept. Trying again goes on from this step.",
  "failed.retry": "Try again",
  "failed.webhook": "Change the webhook",
};
