// What the upstreams answer to whoever only looks, before it is let to work: Resend's domains, and the state of a token at Cloudflare. A fault scripts any other answer. The sandbox's account has the domain of development's clubs.

import { json } from "./replies.js";

const DOMAIN = "clubs.example";

// https://resend.com/docs/api-reference/domains/list-domains
export function resendDomains(call) {
  if (call.path !== "/domains" || call.method !== "GET") return undefined;
  const domain = {
    id: "d91cd9bd-1176-453e-8fc1-35364d380206",
    name: DOMAIN,
    status: "verified",
    created_at: "2026-04-26T20:21:26.347Z",
    region: "eu-west-1",
    capabilities: { sending: "enabled", receiving: "disabled" },
  };
  return json(200, { object: "list", has_more: false, data: [domain] });
}

// https://developers.cloudflare.com/api/resources/user/subresources/tokens/methods/verify
export function cloudflareAccess(call) {
  if (call.method !== "GET" || call.path !== "/client/v4/user/tokens/verify") return undefined;
  const result = { id: "f267e341f3dd4697bd3b9f71dd96247f", status: "active" };
  return json(200, { success: true, errors: [], messages: [], result });
}

// What it is called in the record of calls.
export function lookOf(call) {
  if (call.path === "/client/v4/user/tokens/verify") return "tokens.verify";
  return call.path === "/domains" ? "domains.list" : undefined;
}
