// The API for people, drawn from the same description that programs read.

import { element, show } from "./dom.js";
import { example, fields, know, resolved, summaryOf, words } from "./schemas.js";

const METHODS = ["get", "post", "patch", "delete"];
const JSON_TYPE = "application/json";
const PLACES = { path: "in the address", query: "" };

const search = document.getElementById("search");

function table(caption, heads, rows) {
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  const body = rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cell))));
  return element("div", { class: "scroll", role: "group", "aria-label": caption, tabindex: "0" },
    element("table", {}, element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, ...body)));
}

const code = (text) => element("code", {}, text);
const usual = (what) => (what == null || what === "" ? "" : `, ${JSON.stringify(what)} unless given`);

function shape(caption, schema, { isSent }) {
  const rows = fields(schema).map((one) => [
    code(one.name), `${one.what}${isSent ? (one.isNeeded ? "; needed" : usual(one.usual)) : ""}`, one.note]);
  const about = summaryOf(resolved(schema));
  return [table(caption, ["Field", "What it is", "Notes"], rows), ...(about ? [element("p", { class: "law" }, about)] : [])];
}

function parameters(operation) {
  if (!operation.parameters.length) return [];
  const rows = operation.parameters.map(({ name, schema, required, description, in: where }) => [
    code(name), `${words(schema)}${required ? "; needed" : usual(schema.default)}`, description ?? PLACES[where] ?? "in a header"]);
  return [table("Parameters", ["Name", "What it is", "Notes"], rows)];
}

function command(method, path, operation) {
  const parts = [`curl -H "Authorization: Bearer $TOKEN"`];
  if (method !== "get") parts.push(`-X ${method.toUpperCase()}`);
  if (operation.parameters.some((one) => one.name === "Idempotency-Key")) parts.push(`-H "Idempotency-Key: $(uuidgen)"`);
  const body = operation.requestBody?.content[JSON_TYPE].schema;
  if (body) parts.push(`-H "Content-Type: application/json" -d '${JSON.stringify(example(body))}'`);
  return `${parts.join(" ")} "$HOMEIQ${path}"`;
}

// What may happen to any request is told once, above.
function problems(operation, common) {
  const rows = Object.entries(operation.responses).filter(([status]) => status >= "400" && !common.has(status)).map(([status, { description }]) => [status, description]);
  return rows.length ? [table("Problems", ["Status", "When"], rows)] : [];
}

function request(path, method, operation, common) {
  const body = operation.requestBody?.content[JSON_TYPE].schema;
  const answers = Object.entries(operation.responses).flatMap(([status, answer]) => {
    const schema = answer.content?.[JSON_TYPE]?.schema;
    return schema ? shape(`Answer ${status}`, schema, { isSent: false }) : [];
  });
  const summary = element("summary", {}, code(`${method.toUpperCase()} ${path}`), ` ${operation.summary.replace(/\.$/, "")}`);
  return element("details", { class: "request" }, summary,
    element("p", {}, operation.description),
    ...parameters(operation), ...(body ? shape("Body", body, { isSent: true }) : []), ...answers, ...problems(operation, common),
    element("pre", {}, code(command(method, path, operation))));
}

const titled = (tag) => tag.charAt(0).toUpperCase() + tag.slice(1).replaceAll("-", " ");
const idOf = (title) => `noun-${title.toLowerCase().replaceAll(" ", "-")}`;

function noun(title, requests) {
  return element("section", { class: "wide noun", id: idOf(title), "aria-labelledby": `${idOf(title)}-title` },
    element("h2", { id: `${idOf(title)}-title` }, title), ...requests);
}

function statusesOfAll(operations) {
  const each = operations.map(({ operation }) => new Set(Object.keys(operation.responses).filter((status) => status >= "400")));
  return each.reduce((some, others) => some.intersection(others));
}

function draw(description) {
  know(description.components.schemas);
  const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
    METHODS.filter((method) => methods[method]).map((method) => ({ path, method, operation: { parameters: [], tags: ["others"], description: "", ...methods[method] } })));
  const common = statusesOfAll(operations);
  const order = [...new Set(description.tags.map(({ name }) => titled(name)))];
  const nouns = Map.groupBy(operations, ({ operation }) => titled(operation.tags[0]));
  const named = [...new Set([...order, ...nouns.keys()])].filter((title) => nouns.has(title));
  show("about", `Version ${description.info.version}. ${description.info.description}`);
  show("common", table("Problems that any request may have", ["Status", "When"],
    [...common].sort().map((status) => [status, operations[0].operation.responses[status].description])));
  show("nouns", ...named.map((title) => element("a", { href: `#${idOf(title)}` }, title)));
  document.getElementById("api").append(...named.map((title) =>
    noun(title, nouns.get(title).map(({ path, method, operation }) => request(path, method, operation, common)))));
}

function filter() {
  const wanted = search.elements.search.value.trim().toLowerCase();
  let found = 0;
  for (const section of document.querySelectorAll(".noun")) {
    const requests = [...section.querySelectorAll(".request")];
    for (const one of requests) one.hidden = !one.querySelector("summary").textContent.toLowerCase().includes(wanted);
    const left = requests.filter((one) => !one.hidden).length;
    section.hidden = !left;
    found += left;
  }
  show("found", wanted ? `${found} found.` : "");
}

async function begin() {
  try {
    const answer = await fetch("tenant/v1/openapi.json", { signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).detail ?? `the server answered ${answer.status}`);
    draw(await answer.json());
    document.getElementById(location.hash.slice(1))?.scrollIntoView();
  } catch (err) {
    show("about", element("span", { class: "warn", role: "alert" }, `The description cannot be read: ${err.message}`));
  }
}

search.addEventListener("input", filter);
search.addEventListener("submit", (event) => event.preventDefault());
begin();
