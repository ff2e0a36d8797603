// A client of the product and of the sandbox's control API, as the tests and the benchmark use them over HTTP.
import { spawn } from "node:child_process";
import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { text } from "node:stream/consumers";

/** `sandboxFetch(path, init)` reaches the sandbox's own address; `secret` signs what `token` makes. */
export function client({ url, sandboxFetch, secret }) {
  /** One call to the API: `{status, headers, body}`, where `body` is the parsed JSON, or the text when it is none. */
  async function api(method, path, { body, token, headers = {}, signal } = {}) {
    const response = await fetch(new URL(path, url), {
      method,
      signal,
      redirect: "manual",
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      body: asText(body),
    });
    return { status: response.status, headers: response.headers, body: parsed(await response.text()) };
  }

  /** One call to the sandbox; `init.body` may be an object. Answers the parsed JSON, throws unless it is a success. */
  async function sandbox(path, { body, ...init } = {}) {
    const headers = { "content-type": "application/json", ...init.headers };
    const response = await sandboxFetch(path, { ...init, headers, body: asText(body) });
    const answer = parsed(await response.text());
    if (!response.ok) throw new Error(`sandbox ${init.method ?? "GET"} ${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  }

  /** Signs a new tenant up, under a name of its own, and proves nothing; throws unless the answer is 200. */
  async function signupUnproven(overrides = {}, options = {}) {
    const form = tenantForm(overrides);
    const answer = await api("POST", "/public/signup/start", { body: form, ...options });
    if (answer.status !== 200) throw new Error(`signup: ${answer.status} ${JSON.stringify(answer.body)}`);
    return { ...form, ...answer.body };
  }

  /** Signs a new tenant up, and proves its address as its owner would; throws unless both are done. */
  const signup = async (overrides, options) => prove(await signupUnproven(overrides, options));

  /** Proves a tenant's address by the code that it was mailed: the tenant with its owner's token. Where nobody asks for it, as it is. */
  async function prove(tenant, options) {
    if (tenant.emailProven) return tenant;
    const { code } = await proofMail(tenant.email, options);
    const answer = await api("POST", "/auth/proof", { token: tenant.jwt, body: { code } });
    if (answer.status !== 200) throw new Error(`proof: ${answer.status} ${JSON.stringify(answer.body)}`);
    return { ...tenant, ...answer.body };
  }

  /** The newest mail that asks an address to prove itself: what it shows is its `code`, or its `proofToken`. Waits for the `nth`. */
  const proofMail = (address, { nth = 1, ...options } = {}) =>
    until(async () => (await proofMails(address)).slice(nth - 1).at(-1), { every: 50, what: `mail ${nth} that proves ${address}`, within: 60_000, ...options });

  /** Gives a tenant what its plan needs and queues its provisioning. */
  function confirm(tenant, webhook = makeWebhook()) {
    if (tenant.tenant.plan === "pro") return api("POST", "/public/signup/pro/confirm", { token: tenant.jwt });
    return api("POST", "/public/signup/starter/make", { token: tenant.jwt, body: webhook });
  }

  /** The tenant's provision-status, asked with its own token. */
  const status = (tenant) => api("GET", `/api/v1/tenants/${tenant.tenantId}/provision-status`, { token: tenant.jwt });

  /** Waits until the tenant's run is over; answers the last provision-status body. */
  const settled = (tenant, options) =>
    until(
      async () => {
        const { body } = await status(tenant);
        return ["completed", "failed"].includes(body.status) && body;
      },
      { what: `the run of ${tenant.tenantId} to end`, ...options },
    );

  /** The mails to an address, or all, oldest first, but those that prove one; `linkToken` is the token of the link in one. */
  async function mails(address = "") {
    return (await allMails(address)).filter(({ proofToken }) => proofToken === undefined);
  }

  /** The mails by which an address may be proven, oldest first: `code` and `proofToken` are what one shows. */
  async function proofMails(address) {
    return (await allMails(address)).filter(({ proofToken }) => proofToken !== undefined);
  }

  async function allMails(address) {
    const { mails } = await sandbox(`/__sandbox/mails?to=${encodeURIComponent(address)}`);
    return mails.map((mail) => ({
      ...mail,
      linkToken: /\/magic\/#token=([\w.-]+)/.exec(mail.text)?.[1],
      proofToken: /\/proof\/#token=([\w.-]+)/.exec(mail.text)?.[1],
      code: /^([0-9]{6})$/m.exec(mail.text)?.[1],
    }));
  }

  /** Those of them that have a link to sign in: others tell something, and come whenever it happens. */
  const links = async (address) => (await mails(address)).filter(({ linkToken }) => linkToken);

  return { api, sandbox, signup, signupUnproven, prove, confirm, status, settled, mails, links, proofMail, proofMails, token: (claims = {}, key = secret) => token(claims, key) };
}

/** A valid signup, different each time. */
export function tenantForm(overrides = {}) {
  const name = `club-${randomBytes(6).toString("hex")}`;
  return { clubName: `Club ${name}`, clubSlug: name, email: `${name}@example.org`, plan: "starter", ...overrides };
}

/** A valid Make connection, different each time. */
export function makeWebhook() {
  return { webhookUrl: `https://hook.eu2.make.com/${randomBytes(16).toString("hex")}`, webhookSecret: randomBytes(24).toString("hex") };
}

/**
 * A token signed by hand, as the runbook's snippet does. Without claims it is a platform admin's; a claim set to undefined is left
 * out, and `ttl` is the life in seconds.
 */
export function token({ ttl = 300, header = {}, ...claims }, secret) {
  const iat = Math.floor(Date.now() / 1000);
  const standard = { iss: "syston.app", aud: "syston-admin", sub: "test", roles: ["admin"], jti: randomUUID(), iat, exp: iat + ttl };
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg: "HS256", typ: "JWT", ...header })}.${part({ ...standard, ...claims })}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/** What is sent, but for the moment of a ping: it says when it was sent, and everything else when it happened. */
export const untimed = (body) => (body.includes('"type":"webhook.ping"') ? body.replace(/"timestamp":"[^"]*"/, "") : body);

/** Asks until the answer is truthy, and answers it; throws when `within` milliseconds have passed. */
export async function until(ask, { within = 15_000, every = 20, what = "the condition" } = {}) {
  const deadline = Date.now() + within;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`waited ${within} ms in vain for ${what}`);
    await new Promise((done) => setTimeout(done, every));
  }
}

const asText = (body) => (body === undefined || typeof body === "string" ? body : JSON.stringify(body));

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * Runs a program to its end: its exit code, and what it printed. Whoever waited for that in place would not see that the service closes
 * idle connections meanwhile, and use one.
 */
export function ran(program, args, { env } = {}) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
  const [stdout, stderr] = [child.stdout, child.stderr].map((stream) => text(stream));
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("close", async (code) => done({ code, stdout: await stdout, stderr: await stderr }));
  });
}
