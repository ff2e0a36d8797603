// The one object behind the sandbox. A call to an upstream costs one call of `receive`. That call chooses the fault, does the effect and
// records the request synchronously, hence in one transaction. Nothing here waits for time to pass. The object tells the Worker what to
// wait for, and the Worker waits. For a delayed call it then comes back with `proceed`.

import { DurableObject } from "cloudflare:workers";
import { addFault, faultReply, listFaults, removeFault, removeFaults, takeFault } from "./faults.js";
import { registerAccount } from "./google.js";
import { registerWebhook } from "./make.js";
import {
  countAsked,
  countDone,
  findMail,
  listEffects,
  listMails,
  listRequests,
  listSpreadsheets,
  record,
  recordReply,
  removeSpreadsheet,
} from "./recorder.js";
import { limitCalls } from "./resend.js";
import { clear, createTables } from "./schema.js";
import { upstreamFor } from "./upstreams.js";

export class Store extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.sql = state.storage.sql;
    createTables(this.sql);
  }

  // What the Worker has to do for this call: {act: "answer", reply, afterMs} | {act: "delay", ms, id} | {act:
  // "silence"} | {act: "throw"}.
  async receive(call) {
    const handling = await this.prepare(call);
    const { upstream, identity, tools } = handling;
    const fault = takeFault(this.sql, call);
    const repeated = countAsked(this.sql, upstream.name, identity);
    const reply = replyTo(fault, call, handling);
    const id = record(this.sql, call, {
      upstream: upstream.name,
      ...identity,
      signature: tools.signature,
      fault: fault?.kind ?? null,
      repeated,
      reply,
      now: tools.now,
    });
    if (reply !== null) return { act: "answer", reply, afterMs: fault?.ms ?? 0 };
    return { act: fault.kind, ms: fault.ms, id };
  }

  // The rest of a delayed call.
  async proceed(id, call) {
    const { upstream, tools } = await this.prepare(call);
    const reply = upstream.answer(call, tools);
    recordReply(this.sql, id, reply);
    return { act: "answer", reply, afterMs: 0 };
  }

  async prepare(call) {
    const upstream = upstreamFor(call.host);
    const identity = upstream.identify(call);
    const basics = { sql: this.sql, env: this.env, now: Date.now() };
    const signature = await upstream.verify(call, basics);
    const done = () => countDone(this.sql, upstream.name, identity);
    return { upstream, identity, tools: { ...basics, key: identity.key, signature, done } };
  }

  addFault(fault) {
    return addFault(this.sql, fault);
  }

  faults() {
    return listFaults(this.sql);
  }

  removeFault(id) {
    return removeFault(this.sql, id);
  }

  removeFaults() {
    return removeFaults(this.sql);
  }

  requests(filter) {
    return listRequests(this.sql, filter);
  }

  effects(filter) {
    return listEffects(this.sql, filter);
  }

  mails(filter) {
    return listMails(this.sql, filter);
  }

  mail(id) {
    return findMail(this.sql, id);
  }

  spreadsheets() {
    return listSpreadsheets(this.sql);
  }

  removeSpreadsheet(id) {
    return removeSpreadsheet(this.sql, id);
  }

  registerWebhook(url, secret) {
    registerWebhook(this.sql, url, secret);
  }

  registerAccount(clientEmail, publicKey) {
    registerAccount(this.sql, clientEmail, publicKey);
  }

  limitResend(perSecond) {
    limitCalls(this.sql, perSecond);
  }

  reset() {
    clear(this.sql);
  }
}

// The reply to record and give, or null when a fault keeps it back.
function replyTo(fault, call, { upstream, tools }) {
  switch (fault?.kind) {
    case undefined:
      return upstream.answer(call, tools);
    case "status":
      return faultReply(fault, upstream);
    case "lost":
      upstream.answer(call, tools);
      return faultReply(fault, upstream);
    default:
      return null;
  }
}
