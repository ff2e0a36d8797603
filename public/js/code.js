// A field for a six-digit code from a mail. People read codes in groups, and paste them with what stands around them.

const digitsOf = (text) => text.normalize("NFKC").replace(/[^0-9]/g, "");

/** The code in a field; nothing as long as it is none. */
export const codeIn = (input) => {
  const digits = digitsOf(input.value);
  return digits.length === 6 ? digits : null;
};

/** Sends the field's form by itself as soon as the code is whole. */
export function sendWhole(input) {
  const code = codeIn(input);
  if (!code) return;
  input.value = code;
  input.form.requestSubmit();
}
