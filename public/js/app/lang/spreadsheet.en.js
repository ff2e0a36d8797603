// The English words that only the spreadsheet's screen says.

export default {
  "sheet.lead": "Everything that happens in the club is kept up to date in one Google spreadsheet.",
  "sheet.none": "Your club’s spreadsheet is made during the set-up. It is not there yet.",
  "sheet.look": "See how it goes",
  "sheet.verified": ({ time }) => `We checked that it opens: ${time}.`,
  "sheet.unverified": "We have not checked yet whether it opens.",
  "sheet.open": "Open the spreadsheet",
  "sheet.link": "Link to the spreadsheet",
  "sheet.who": ({ email }) => `It is shared with ${email}. Google may ask you to sign in with that address.`,
};
