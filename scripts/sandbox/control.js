// The control API, by which tests and the page script the sandbox and read what it received. It answers under
// /__sandbox/ on any host that is not played.
//
//   POST   faults            {host, kind, path?, method?, bodyIncludes?, status?, headers?, body?, ms?, times?, skip?,
//                            probability?, seed?} -> {id}
//     status   answers that; nothing is done         delay    waits `ms`, then goes on
//     silence  never answers                         throw    breaks the connection by an exception
//     lost     does it, then answers `status` (502)
//     `host` is exact or "*"; `path` a prefix; `body` a text or JSON; `ms` with status or lost holds the answer back;
//     `probability` is drawn for each matching call, the same way for the same `seed`. A call to an upstream may bring
//     its own fault, without `host`, as JSON in a header `sandbox-fault`.
//   GET    faults            those in force          DELETE   faults, faults/:id
//   GET    requests          ?host= &path= &key= &after=<id> &limit=   in the order of arrival
//   GET    effects           ?upstream= &key=        GET      mails ?to= &limit=, mails/:id, mails/:id/html
//   GET    previews, previews/:id/html ?scheme=      what every mail of the service looks like; on a light or a dark screen
//   GET    spreadsheets      newest first            DELETE   spreadsheets/:id   as if its owner had deleted it
//   PUT    webhooks          {url, secret}           PUT      google {clientEmail, publicKey}
//   PUT    resend            {perSecond}             so many calls in any second, as the real one; null: any number
//   POST   reset             forgets everything

import { faultProblems } from "./faults.js";
import { keyBytes } from "./signatures.js";
import { isText, json, parseJson, toResponse } from "./replies.js";
import { importPublicKey } from "./signatures.js";
import { listPreviews, mailDocument, onScreen, preview } from "./page.js";

const ROUTES = [
  ["POST", /^faults$/, postFault],
  ["GET", /^faults$/, async ({ store }) => json(200, { faults: await store.faults() })],
  ["DELETE", /^faults$/, async ({ store }) => json(200, { removed: await store.removeFaults() })],
  ["DELETE", /^faults\/(\d+)$/, async ({ store, id }) => removed(await store.removeFault(Number(id)))],
  ["GET", /^requests$/, getRequests],
  [
    "GET",
    /^effects$/,
    async ({ store, query }) => json(200, { effects: await store.effects(texts(query, "upstream", "key")) }),
  ],
  ["GET", /^mails$/, getMails],
  ["GET", /^mails\/([\w-]+)$/, getMail],
  ["GET", /^mails\/([\w-]+)\/html$/, getMailDocument],
  ["GET", /^previews$/, () => json(200, { previews: listPreviews() })],
  ["GET", /^previews\/([\w-]+)\/html$/, getPreviewDocument],
  ["GET", /^spreadsheets$/, async ({ store }) => json(200, { spreadsheets: await store.spreadsheets() })],
  ["DELETE", /^spreadsheets\/([\w-]+)$/, async ({ store, id }) => removed(await store.removeSpreadsheet(id))],
  ["PUT", /^webhooks$/, putWebhook],
  ["PUT", /^google$/, putGoogle],
  ["PUT", /^resend$/, putResend],
  ["POST", /^reset$/, async ({ store }) => {
    await store.reset();
    return json(200, { ok: true });
  }],
];

const refuse = (status, ...problems) => json(status, { error: problems.join("; ") });

const removed = (count) => (count > 0 ? json(200, { removed: count }) : refuse(404, "there is none with this id"));

export async function control(request, url, store) {
  if (request.headers.get("sec-fetch-site") === "cross-site") {
    return toResponse(refuse(403, "another site's page may not use the control API"));
  }
  const rest = url.pathname.slice("/__sandbox/".length);
  const found = ROUTES.filter(([, pattern]) => pattern.test(rest));
  if (found.length === 0) return toResponse(refuse(404, `there is no ${url.pathname}`));
  const route = found.find(([method]) => method === request.method);
  if (route === undefined) {
    const allow = found.map(([method]) => method).join(", ");
    return toResponse(json(405, { error: `use ${allow}` }, { allow }));
  }
  const [, pattern, handle] = route;
  return toResponse(await handle({ request, store, query: url.searchParams, id: pattern.exec(rest)[1] }));
}

const texts = (query, ...names) => Object.fromEntries(names.map((name) => [name, query.get(name)]));

// The whole numbers among the query's parameters; undefined when one is not.
function numbers(query, ...names) {
  const given = names.map((name) => [name, query.get(name)]);
  if (given.some(([, value]) => value !== null && !/^\d{1,15}$/.test(value))) return undefined;
  return Object.fromEntries(given.map(([name, value]) => [name, value === null ? null : Number(value)]));
}

async function postFault({ request, store }) {
  const fault = parseJson(await request.text());
  const problems = faultProblems(fault);
  return problems.length > 0 ? refuse(400, ...problems) : json(201, { id: await store.addFault(fault) });
}

async function getRequests({ store, query }) {
  const range = numbers(query, "after", "limit");
  if (range === undefined) return refuse(400, "after and limit are whole numbers");
  return json(200, { requests: await store.requests({ ...texts(query, "host", "path", "key"), ...range }) });
}

async function getMails({ store, query }) {
  const range = numbers(query, "limit");
  if (range === undefined) return refuse(400, "limit is a whole number");
  return json(200, { mails: await store.mails({ ...texts(query, "to"), ...range }) });
}

async function getMail({ store, id }) {
  const mail = await store.mail(id);
  return mail === null ? refuse(404, "there is no such mail") : json(200, mail);
}

async function getMailDocument({ store, id }) {
  const mail = await store.mail(id);
  return mail === null ? refuse(404, "there is no such mail") : mailDocument(mail);
}

function getPreviewDocument({ id, query }) {
  const found = preview(id);
  return found === undefined ? refuse(404, "there is no such mail") : mailDocument(onScreen(found, query.get("scheme")));
}

async function putWebhook({ request, store }) {
  const input = parseJson(await request.text());
  if (!isText(input?.url) || !URL.canParse(input.url)) return refuse(400, "url must be a URL");
  if (!isText(input.secret) || !isUsableKey(input.secret))
    return refuse(400, "secret must be a text, base64 after whsec_");
  await store.registerWebhook(input.url, input.secret);
  return json(200, { ok: true });
}

function isUsableKey(secret) {
  try {
    return keyBytes(secret).length > 0;
  } catch {
    return false;
  }
}

async function putGoogle({ request, store }) {
  const input = parseJson(await request.text());
  if (!isText(input?.clientEmail)) return refuse(400, "clientEmail must be a text");
  if (!isText(input.publicKey) || !(await isPublicKey(input.publicKey))) {
    return refuse(400, "publicKey must be the SPKI PEM of an RSA key");
  }
  await store.registerAccount(input.clientEmail, input.publicKey);
  return json(200, { ok: true });
}

async function putResend({ request, store }) {
  const perSecond = parseJson(await request.text())?.perSecond;
  const isLimit = perSecond === null || (Number.isInteger(perSecond) && perSecond > 0);
  if (!isLimit) return refuse(400, "perSecond must be a positive whole number, or null");
  await store.limitResend(perSecond);
  return json(200, { ok: true });
}

async function isPublicKey(pem) {
  try {
    await importPublicKey(pem);
    return true;
  } catch {
    return false;
  }
}
