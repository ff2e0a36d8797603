// The English words that only the screen of one's clubs says.

export default {
  "clubs.one": "You belong to this club alone. Clubs that you are invited to, or set up with the same address, stand here, too.",
  "clubs.current": "Open now",
  "clubs.go": "Open",
  "clubs.goTo": ({ name }) => `Open: ${name}`,
};
