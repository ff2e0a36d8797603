// Moments in the page's language, by the customs of the reader's country if that speaks it.

function moment(date, style) {
  if (Number.isNaN(Number(date))) return "–";
  const { lang } = document.documentElement;
  return new Intl.DateTimeFormat(navigator.languages.find((tag) => tag.startsWith(lang)) ?? lang, style).format(date);
}

export const clock = (date) => moment(date, { hour: "2-digit", minute: "2-digit" });
export const dayOf = (date) => moment(date, { dateStyle: "long" });
export const dayAndTime = (date) => moment(date, { dateStyle: "medium", timeStyle: "short" });
