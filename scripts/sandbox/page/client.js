// Keeps the page up to date from the control API. Everything received is written as text nodes; mails are shown by
// address in a sandboxed frame.

const SHOWN_CALLS = 200;
const REFRESH_MS = 2000;

const byId = (id) => document.getElementById(id);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

const shown = { mails: "", calls: "", faults: "", mail: null };

async function api(path, options) {
  const response = await fetch(`/__sandbox/${path}`, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

const clock = (at) => new Date(at).toLocaleTimeString([], { hour12: false });

async function refresh() {
  try {
    const [{ mails }, { requests }, { faults }] = await Promise.all([
      api("mails?limit=200"),
      api(`requests?limit=${SHOWN_CALLS}`),
      api("faults"),
    ]);
    draw("mails", mails.reverse(), drawMails);
    draw("calls", requests.reverse(), drawCalls);
    draw("faults", faults, drawFaults);
    byId("state").textContent = `Up to date at ${clock(Date.now())}`;
  } catch (error) {
    byId("state").textContent = `Not reachable: ${error.message}`;
  }
}

// Nothing is touched while nothing changed: an open detail stays open, a selection stays.
function draw(part, rows, drawRows) {
  const text = JSON.stringify(rows);
  if (text === shown[part]) return;
  shown[part] = text;
  drawRows(rows);
}

function counted(part, count, table) {
  byId(`no-${part}`).hidden = count > 0;
  byId(table).hidden = count === 0;
}

function drawMails(mails) {
  counted("mails", mails.length, "mail-split");
  byId("mail-count").textContent = mails.length || "";
  byId("mails").replaceChildren(...mails.map(mailItem));
  if (!mails.some((mail) => mail.id === shown.mail)) openMail(mails[0] ?? null);
  else markOpen();
}

function mailItem(mail) {
  const button = element(
    "button",
    { type: "button", "data-id": mail.id },
    element("strong", {}, mail.subject),
    element("span", {}, mail.to.join(", ")),
    element("time", { datetime: mail.at }, clock(mail.at)),
  );
  button.addEventListener("click", () => openMail(mail));
  return element("li", {}, button);
}

function openMail(mail) {
  shown.mail = mail?.id ?? null;
  markOpen();
  byId("mail").replaceChildren(...(mail === null ? [] : mailParts(mail)));
}

function markOpen() {
  for (const button of byId("mails").querySelectorAll("button")) {
    if (button.dataset.id === shown.mail) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}

function mailParts(mail) {
  const line = (name, value) => [element("dt", {}, name), element("dd", {}, value)];
  return [
    element("h3", {}, mail.subject),
    element(
      "dl",
      {},
      ...line("From", mail.from),
      ...line("To", mail.to.join(", ")),
      ...line("Key", mail.key ?? "none"),
    ),
    element("iframe", {
      title: `Mail: ${mail.subject}`,
      sandbox: "allow-popups allow-popups-to-escape-sandbox",
      src: `/__sandbox/mails/${encodeURIComponent(mail.id)}/html`,
    }),
    mail.html && mail.text
      ? element("details", {}, element("summary", {}, "Plain text"), element("pre", {}, mail.text))
      : undefined,
  ].filter((part) => part !== undefined);
}

async function startPreviews() {
  const { previews } = await api("previews");
  const choices = { mail: byId("preview-mail"), language: byId("preview-language") };
  for (const [part, select] of Object.entries(choices)) {
    const values = [...new Set(previews.map((preview) => preview[part]))];
    select.append(...values.map((value) => element("option", { value }, value.replaceAll("_", " ").replace("-", ": "))));
  }
  byId("preview-count").textContent = new Set(previews.map(({ mail }) => mail)).size;
  const show = () => {
    const chosen = previews.find((one) => one.mail === choices.mail.value && one.language === choices.language.value);
    const frame = element("iframe", {
      title: `Preview: ${chosen.subject}`,
      sandbox: "allow-popups allow-popups-to-escape-sandbox",
      src: `/__sandbox/previews/${encodeURIComponent(chosen.id)}/html?scheme=${byId("preview-scheme").value}`,
      width: byId("preview-width").value || false,
    });
    byId("preview").replaceChildren(
      element("h3", { lang: chosen.language }, chosen.subject),
      frame,
      element("details", {}, element("summary", {}, "Plain text"), element("pre", { lang: chosen.language }, chosen.text)),
    );
  };
  for (const select of document.querySelectorAll(".choices select")) select.addEventListener("change", show);
  show();
}

function drawCalls(requests) {
  counted("calls", requests.length, "call-table");
  byId("call-count").textContent = requests.length === SHOWN_CALLS ? `newest ${SHOWN_CALLS}` : requests.length || "";
  const open = new Set([...document.querySelectorAll("#calls details[open]")].map((one) => one.dataset.id));
  byId("calls").replaceChildren(...requests.map((request) => callRow(request, open.has(String(request.id)))));
}

function callRow(request, open) {
  return element(
    "tr",
    {},
    element("td", {}, element("time", { datetime: request.at }, clock(request.at))),
    element("td", {}, request.upstream),
    element("td", { class: "wide" }, callDetails(request, open)),
    element("td", {}, verdict(request.signature)),
    element("td", {}, request.fault === null ? "" : element("span", { class: "badge bad" }, request.fault)),
    element("td", {}, answerBadge(request.response)),
  );
}

function callDetails(request, open) {
  const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`);
  return element(
    "details",
    { open, "data-id": request.id },
    element(
      "summary",
      {},
      `${request.method} ${request.host}${request.path}`,
      request.repeated ? element("span", { class: "badge" }, "key seen before") : undefined,
    ),
    element("pre", {}, [`${request.method} ${request.url}`, ...headers, "", request.body].join("\n")),
    element(
      "pre",
      {},
      request.response === null ? "(no answer)" : `${request.response.status}\n${request.response.body ?? ""}`,
    ),
  );
}

function verdict({ present, valid }) {
  if (valid === true) return element("span", { class: "badge good" }, "valid");
  if (!present) return element("span", { class: "badge" }, "none");
  return valid === null
    ? element("span", { class: "badge" }, "not checked")
    : element("span", { class: "badge bad" }, "wrong");
}

function answerBadge(response) {
  if (response === null) return element("span", { class: "badge bad" }, "none");
  return element("span", { class: response.status < 400 ? "badge good" : "badge bad" }, String(response.status));
}

function drawFaults(faults) {
  counted("faults", faults.length, "fault-table");
  byId("fault-count").textContent = faults.length || "";
  byId("faults").replaceChildren(...faults.map(faultRow));
}

function faultRow(fault) {
  const remove = element(
    "button",
    { type: "button", class: "quiet", "aria-label": `Remove fault ${fault.id}` },
    "Remove",
  );
  remove.addEventListener("click", () => change(`faults/${fault.id}`, { method: "DELETE" }));
  const calls = [fault.method, fault.host + (fault.path ?? ""), fault.bodyIncludes && `with “${fault.bodyIncludes}”`];
  const what = [
    fault.kind,
    fault.status,
    fault.ms != null && `${fault.ms} ms`,
    fault.probability != null && `probability ${fault.probability}`,
    fault.skip > 0 && `after ${fault.skip} more`,
  ];
  return element(
    "tr",
    {},
    element("td", {}, calls.filter(Boolean).join(" ")),
    element("td", {}, what.filter(Boolean).join(" ")),
    element("td", {}, fault.times === null ? "for ever" : String(fault.times)),
    element("td", {}, String(fault.applied)),
    element("td", {}, remove),
  );
}

async function change(path, options) {
  try {
    await api(path, options);
    byId("problem").textContent = "";
  } catch (error) {
    byId("problem").textContent = error.message;
  }
  await refresh();
}

function faultFromForm(form) {
  const fault = {};
  for (const field of form.querySelectorAll("input, select")) {
    if (field.value === "" || field.closest("[hidden]")) continue;
    fault[field.name] = field.type === "number" ? Number(field.value) : field.value;
  }
  return fault;
}

function showFieldsFor(kind) {
  for (const label of document.querySelectorAll("[data-for]"))
    label.hidden = !label.dataset.for.split(" ").includes(kind);
}

const form = byId("add");
form.addEventListener("submit", (event) => {
  event.preventDefault();
  change("faults", { method: "POST", body: JSON.stringify(faultFromForm(form)) });
});
form.elements.kind.addEventListener("change", () => showFieldsFor(form.elements.kind.value));
byId("clear").addEventListener("click", () => change("faults", { method: "DELETE" }));
byId("reset").addEventListener("click", () => change("reset", { method: "POST" }));
showFieldsFor(form.elements.kind.value);

startPreviews();
setInterval(() => document.hidden || refresh(), REFRESH_MS);
refresh();
