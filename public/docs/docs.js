// The API's documentation, drawn from openapi.json: whatever the service's own document says stands here, and nothing else.

import { byId, make } from "../js/dom.js";
import { follow, paragraphs, prose, shapeOf, tellsEach } from "./schema.js";

const METHODS = ["get", "post", "put", "patch", "delete"];
const CALLERS = { tenant: "a tenant's admin", operator: "operators", machine: "machines" };

start();

async function start() {
  try {
    const answer = await fetch("/openapi.json");
    if (!answer.ok) throw new Error(`${answer.status}`);
    draw(await answer.json());
  } catch {
    byId("failed").hidden = false;
  }
  document.documentElement.dataset.ready = "";
  // The address may name a route that was not there yet when the browser looked for it.
  if (location.hash) byId(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

function draw(api) {
  const operations = (items, more) =>
    Object.entries(items).flatMap(([path, item]) =>
      METHODS.filter((method) => method in item).map((method) => ({ method, path, ...item[method], ...more })),
    );
  const routes = [...operations(api.paths), ...operations(api.webhooks, { isEvent: true })];
  const groups = api.tags.map((tag) => ({ ...tag, routes: routes.filter(({ tags }) => tags.includes(tag.name)) }));
  byId("about").append(
    ...paragraphs(api.info.description),
    make("p", { class: "soft" }, `Version ${api.info.version} · ${routes.filter(({ isEvent }) => !isEvent).length} routes`),
  );
  byId("contents").append(make("ul", {}, ...groups.map(contents)));
  byId("routes").append(...groups.map((group) => section(api, group)));
  byId("types").append(
    make("h2", { id: "types-heading" }, "Types"),
    ...Object.entries(api.components.schemas).map(([name, schema]) => type(api, name, schema)),
  );
}

const idOf = (group) => `group-${group.name.toLowerCase().replaceAll(/[^a-z]+/g, "-")}`;

const contents = (group) =>
  make(
    "li",
    {},
    make("a", { href: `#${idOf(group)}` }, group.name),
    make(
      "ul",
      {},
      ...group.routes.map((route) => make("li", {}, make("a", { href: `#${route.operationId}` }, route.summary))),
    ),
  );

const section = (api, group) =>
  make(
    "section",
    { "aria-labelledby": idOf(group) },
    make("h2", { id: idOf(group) }, group.name),
    make("p", { class: "soft" }, group.description),
    ...group.routes.map((route) => operation(api, route)),
  );

function operation(api, route) {
  const parameters = (route.parameters ?? []).map((one) => (one.$ref ? follow(api, one) : one));
  const callers = route.security.flatMap(Object.keys).map((name) => CALLERS[name] ?? name);
  const whose = callers.length > 0 ? `For ${callers.join(", ")}.` : "For anyone.";
  return make(
    "article",
    { id: route.operationId, class: "sheet route" },
    make("h3", {}, route.summary),
    make("p", { class: "address" }, make("span", { class: `method ${route.method}` }, route.method.toUpperCase()), " ", make("code", {}, route.path)),
    make("p", { class: "soft" }, route.isEvent ? "Sent to the webhook of a club." : whose),
    ...(route.description ? [make("p", {}, ...prose(route.description))] : []),
    ...(parameters.length > 0 ? [part("Parameters", parameterTable(api, parameters))] : []),
    ...(route.requestBody ? [part("Body", ...bodyOf(api, route.requestBody))] : []),
    part("Answers", ...Object.entries(route.responses).map(([status, answer]) => answerOf(api, status, answer.$ref ? follow(api, answer) : answer))),
  );
}

const part = (title, ...content) => make("div", { class: "part" }, make("h4", {}, title), ...content);

const parameterTable = (api, parameters) =>
  shapeOf(api, {
    properties: Object.fromEntries(
      parameters.map(({ name, in: place, schema, description }) => [
        name,
        { ...schema, description: `${description}${place === "header" ? " A header." : ""}` },
      ]),
    ),
    required: parameters.filter(({ required }) => required).map(({ name }) => name),
  });

function bodyOf(api, body) {
  const [[media, content]] = Object.entries(body.content);
  const line = `${media}${body.required ? "" : ", may be left out"}`;
  return [make("p", { class: "soft" }, line), shapeOf(api, content.schema), ...examplesOf(api, content)];
}

function answerOf(api, status, answer) {
  const content = Object.entries(answer.content ?? {});
  return make(
    "details",
    { class: status < "400" ? "well" : "ill" },
    make("summary", {}, make("b", {}, status), " ", make("span", {}, ...prose(answer.description))),
    ...content.flatMap(([media, one]) => [
      make("p", { class: "soft" }, media),
      ...(status < "400" && media === "application/json" ? [shapeOf(api, one.schema)] : []),
      ...examplesOf(api, one),
    ]),
  );
}

function examplesOf(api, { example, examples }) {
  const shown = Object.values(examples ?? {}).map((one) => (one.$ref ? follow(api, one) : one).value);
  return [...(example === undefined ? [] : [example]), ...shown].map((value) =>
    // Wider than the window at times: to be scrolled by keyboard it has to take the focus.
    make("pre", { tabindex: "0" }, JSON.stringify(value, null, 2)),
  );
}

const type = (api, name, schema) =>
  make(
    "article",
    { id: `type-${name}`, class: "sheet route" },
    make("h3", {}, name),
    ...(schema.description ? paragraphs(schema.description) : []),
    // Words that were told one by one need not be named again.
    ...(tellsEach(schema.description) ? [] : [shapeOf(api, schema)]),
  );
