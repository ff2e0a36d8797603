// Who plays whom. An upstream is an object with
//   name                  the word under which it is recorded;
//   plays(host)           whether a host name is its own;
//   identify(call)        {operation, key, effect}: what is asked for, under which idempotency key, and whether it
//                         changes anything outside. Works on any input: it also labels calls that a fault keeps away;
//   verify(call, tools)   {present, valid}: the credential or signature; valid is null when it can't be checked;
//   answer(call, tools)   does what is asked and gives the reply. Synchronous, so that nothing runs in between;
//   failure(status)       the reply that this upstream would give with that status, for faults without a body.
// tools = {sql, env, key, signature, now, done}: `done()` counts an outside effect under the call's operation and key.

import { appsScript } from "./apps-script.js";
import { cloudflare } from "./cloudflare.js";
import { google } from "./google.js";
import { make } from "./make.js";
import { platform } from "./platform.js";
import { json } from "./replies.js";
import { resend } from "./resend.js";
import { turnstile } from "./turnstile.js";

const PLAYED = [make, appsScript, google, resend, cloudflare, turnstile, platform];

const notPlayed = (host) => ({ error: "HOST_NOT_PLAYED", message: `The sandbox does not play ${host}.`, host });

// Any other host. A call to it is a mistake somewhere, so it is recorded and refused by name.
const unknown = {
  name: "unknown",
  plays: () => true,
  identify: () => ({ operation: null, key: null, effect: false }),
  verify: async () => ({ present: false, valid: null }),
  answer: (call) => json(502, notPlayed(call.host)),
  failure: (status) => json(status, { error: "SCRIPTED", message: `Scripted answer ${status}.` }),
};

export const isPlayed = (host) => PLAYED.some((upstream) => upstream.plays(host));

export const upstreamFor = (host) => PLAYED.find((upstream) => upstream.plays(host)) ?? unknown;
