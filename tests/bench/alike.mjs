// Whether the product and its peer answer alike, but for what is made up anew for each request.
import { deepStrictEqual } from "node:assert/strict";
import { tenantForm } from "../client.mjs";

/** What differs between two answers to the same question, and stands for itself in the comparison. */
const FRESH = [
  [/(tenant|user|req)_[0-9a-f]{32}/g, "$1"],
  [/"(trialEndsAt|iat|exp)":\d+/g, '"$1":0'],
  [/tenant\.[0-9a-f]{32}/g, "tenant.token"],
];
const OWN_HEADERS = ["content-length", "date", "transfer-encoding", "x-request-id"];

/** Throws unless all answer every case as the product does. */
export async function checkAlike(cases, { ours: product, ...others }) {
  for (const [name, request] of Object.entries(cases)) {
    const expected = await asked(product, request);
    if (expected.status !== 200) throw new Error(`${name}: ${expected.status}`);
    for (const worker of Object.values(others)) deepStrictEqual(await asked(worker, request), expected);
  }
}

async function asked({ url }, { method, path, headers, form }) {
  const tenant = form && tenantForm(form);
  const body = tenant && JSON.stringify(tenant);
  const response = await fetch(new URL(path, url), { method, body, headers: { ...headers, ...(body && { "content-type": "application/json" }) } });
  let text = await response.text();
  if (tenant) text = text.replaceAll(tenant.clubSlug, "club");
  const answer = JSON.parse(text);
  if (answer.jwt) answer.jwt = JSON.parse(Buffer.from(answer.jwt.split(".")[1], "base64url"));
  const plain = FRESH.reduce((text, [pattern, stands]) => text.replace(pattern, stands), JSON.stringify(answer));
  const kept = [...response.headers].filter(([name]) => !OWN_HEADERS.includes(name));
  return { status: response.status, headers: Object.fromEntries(kept), body: JSON.parse(plain) };
}
