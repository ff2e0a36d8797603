// The German words that only the set-up's screen says.

import setup from "../../lang/setup.de.js";

export default {
  ...setup,
  "setup.bar": "Fortschritt der Einrichtung",
  "setup.pending": "Die Einrichtung hat noch nicht begonnen.",
  "setup.processing": "Ihr Verein wird eingerichtet. Das dauert meist keine halbe Minute. Sie können diese Seite schließen.",
  "setup.completed": "Alles ist eingerichtet.",
  "setup.doneAt": ({ time }) => `Alles ist eingerichtet, seit ${time}.`,
  "setup.failed": "Die Einrichtung steht still.",
  "setup.unfinished": "Ein, zwei Schritte fehlen noch",
  "setup.unfinishedText": "Ihr Verein ist angelegt. Machen Sie dort weiter, wo Sie aufgehört haben: Was Sie eingegeben haben, ist erhalten.",
  "setup.goOn": "Weiter einrichten",
};
