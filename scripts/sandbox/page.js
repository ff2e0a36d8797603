// The page for people: the inbox, the calls, the faults in force. Its files are static; client.js reads the control
// API and writes what was received as text nodes only. A mail is shown as its own document, in a frame where nothing
// of it can run.

import page from "./page/index.html";
import client from "./page/client.js";
import style from "./page/style.css";
import previews from "./previews.json";
import { html, toResponse } from "./replies.js";

const NO_SNIFF = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
};

const PAGE_CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; img-src data:; " +
  "form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

// Mail brings inline styles; scripts, forms and everything from elsewhere stay out. Its links open outside the frame.
const MAIL_CSP =
  "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

const FILES = {
  "/": ["text/html; charset=utf-8", page],
  "/page/client.js": ["text/javascript; charset=utf-8", client],
  "/page/style.css": ["text/css; charset=utf-8", style],
};

export function servePage(url) {
  const [type, body] = FILES[url.pathname] ?? [];
  if (body === undefined)
    return toResponse(html(404, '<!doctype html><title>Not found</title><p>Not found. <a href="/">The sandbox</a>'));
  return new Response(body, { headers: { ...NO_SNIFF, "content-type": type, "content-security-policy": PAGE_CSP } });
}

/** What every mail of the service looks like, as its own code wrote it (tests/api/mails/previews.rs). */
export const preview = (id) => previews.find((one) => one.id === id);
export const listPreviews = () => previews.map(({ html, ...rest }) => rest);

/** The same as on a light or a dark screen, whichever the reader of this page has. */
export const onScreen = (mail, scheme) =>
  scheme === null
    ? mail
    : { ...mail, html: mail.html.replaceAll("(prefers-color-scheme:dark)", scheme === "dark" ? "all" : "not all") };

export function mailDocument(mail) {
  const content = mail.html ?? `<pre style="white-space:pre-wrap">${linked(escaped(mail.text))}</pre>`;
  return html(200, `<!doctype html><base target="_blank">${content}`, {
    ...NO_SNIFF,
    "content-security-policy": MAIL_CSP,
  });
}

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

const escaped = (text) => text.replace(/[&<>"']/g, (char) => ENTITIES[char]);

const linked = (text) => text.replace(/https?:\/\/[^\s<>]+/g, (url) => `<a href="${url}">${url}</a>`);
