// The console as the tests open it: with answers of the test's own, for states that the service can't easily be put in, or of the service.

import { randomUUID } from "node:crypto";
import { baseUrl, codeIn, mailTo, open, visitor } from "./harness.mjs";

const HOUR_MS = 3_600_000;
const ago = (hours) => new Date(Date.now() - hours * HOUR_MS).toISOString();

const PLANS = {
  starter: ["seed_defaults", "configure_routing", "validate_webhook", "create_owner", "send_welcome_email", "activate"],
  pro: ["seed_defaults", "configure_routing", "create_spreadsheet", "verify_spreadsheet", "create_owner", "send_welcome_email", "activate"],
};

/** What `GET /api/v1/tenants/me` answers of a club. */
export const aClub = (over = {}) => ({
  id: "tenant_1",
  slug: "sc-hollenbach",
  name: "SC Hollenbach 1912",
  email: "secretary@sc-hollenbach.example",
  emailProven: true,
  plan: "pro",
  status: "trial",
  comped: false,
  trialEndsAt: Math.floor(Date.now() / 1000) + 8.5 * 86_400,
  createdAt: ago(200),
  address: "sc-hollenbach.clubs.example",
  brand: { primaryColor: "#8b1e3f", secondaryColor: "#7ec8e3" },
  spreadsheet: { url: "https://docs.google.com/spreadsheets/d/1abc", verifiedAt: ago(199) },
  ...over,
});

/** What provision-status says; `at` is the step that is not done, and `how` it stands. */
export function setUp({ plan = "pro", at, how = "running", ...over } = {}) {
  const names = PLANS[plan];
  const reached = at ? names.indexOf(at) : names.length;
  const statusOf = (n) => (n < reached ? "completed" : n > reached ? "pending" : how);
  const steps = names.map((name, n) => ({ name, status: statusOf(n), attempts: 1, startedAt: null, completedAt: null, retryAt: null, error: null }));
  const status = at ? (how === "failed" ? "failed" : "processing") : "completed";
  return { status, plan, progress: Math.round((reached / names.length) * 100), steps, warnings: [], reason: null, error: null, runId: "run_1", resumeAt: null, completedAt: at ? null : ago(199), ...over };
}

export const anEvent = (type, data = {}, hours = 1) => ({ id: `evt_${randomUUID()}`, type, data, occurredAt: ago(hours) });

const ok = (body) => ({ status: 200, body: { success: true, ...body } });
export const refusal = (status, code, more = {}) => ({ status, body: { success: false, error: { code, message: code, requestId: "req_test", ...more } } });

/** The usual answers, by path. One of a test's own is an answer, a function of the request, or "lost"; "held" never comes. */
const usual = (club, state, events) => ({
  "/api/v1/tenants/me": ok({ data: club }),
  "/whoami": ok({ data: { sub: "user_1", roles: ["tenant_admin", "owner"], tenantId: club.id, aud: "syston-mobile" } }),
  [`/api/v1/tenants/${club.id}/provision-status`]: ok({ status: state.status, data: state }),
  [`/api/v1/tenants/${club.id}/events`]: ok({ data: events, nextCursor: null }),
  "/auth/logout": ok({}),
});

/**
 * A page of the console whose every answer is the test's. `routes` are answers by path, and can be changed while the page is open. Whatever
 * else the console asks has no answer, which fails the test.
 */
export async function shown(t, { path = "/app/", me = {}, state = setUp(), events = [], routes = {}, wait = true, before, ...options } = {}) {
  const answers = {};
  const answering = ({ me = {}, state = setUp(), events = [], routes = {} }) => {
    const club = aClub(me);
    for (const name of Object.keys(answers)) delete answers[name];
    return Object.assign(answers, usual(club, state, events), routes);
  };
  answering({ me, state, events, routes });
  const { context, requests } = await visitor(t, options);
  const page = await context.newPage();
  await page.route(/\/(api|auth|whoami|public\/invitations|public\/signup\/starter)(\/|$|\?)/, async (route) => {
    const { pathname } = new URL(route.request().url());
    let given = answers[pathname];
    if (typeof given === "function") given = await given(route.request());
    if (given === "held") return;
    if (given === "lost") return route.abort();
    const { status, headers = {}, body } = given ?? refusal(404, `NOBODY_ANSWERS_${pathname}`);
    await route.fulfill({ status, headers: { "content-type": "application/json", ...headers }, body: status === 304 ? undefined : JSON.stringify(body) });
  });
  await before?.(page);
  await page.goto(path);
  if (wait) await page.waitForSelector("html[data-ready]");
  return Object.assign(page, { answers, answering, sent: (part) => requests.filter((r) => r.url().includes(part)) });
}

export { ok };

export const heading = (page) => page.textContent("h1");
export const atScreen = (page, title) => page.waitForFunction((text) => document.querySelector("main h1")?.textContent === text, title);

const post = (path, body, token) =>
  fetch(`${baseUrl}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify(body),
  });

/** A real club of the service that is set up, its address proven by somebody else's hands. */
export async function realClub({ plan = "pro" } = {}) {
  const slug = `fc-${randomUUID().slice(0, 18)}`;
  const email = `owner@${slug}.example`;
  const made = await (await post("/public/signup/start", { clubName: `FC ${slug}`, clubSlug: slug, email, plan })).json();
  if (plan === "pro") await post("/public/signup/pro/confirm", {}, made.jwt);
  else await post("/public/signup/starter/make", { webhookUrl: `https://hook.eu1.make.com/${slug}`, webhookSecret: "0123456789abcdef" }, made.jwt);
  const proven = await (await post("/auth/proof", { code: codeIn(await mailTo(email)) }, made.jwt)).json();
  return { id: made.tenantId, slug, email, name: `FC ${slug}`, jwt: proven.jwt };
}

/** Asks for a link, and presses it: where that leads is the test's matter. */
export async function followsLink(t, { email }, link, options = {}) {
  const page = await open(t, { path: link, ...options });
  await page.click("#sign-in [type=submit]");
  return Object.assign(page, { email });
}
