// The German words that only the screen of one's clubs says.

export default {
  "clubs.one": "Sie gehören nur zu diesem Verein. Vereine, in die man Sie einlädt oder die Sie mit derselben Adresse einrichten, stehen auch hier.",
  "clubs.current": "Gerade offen",
  "clubs.go": "Öffnen",
  "clubs.goTo": ({ name }) => `Öffnen: ${name}`,
};
