// What all views share: making elements, writing figures, asking the server. Text is only ever set as text, never as markup.

const TIMEOUT_MS = 10000;
const CHANGE_TIMEOUT_MS = 30000;
const SVG = new Set(["svg", "rect", "path", "line", "g", "text", "title", "circle"]);

export const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
export const precise = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 2 });
export const value = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 5 });
export const share = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const instant = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

export function element(name, attributes = {}, ...children) {
  const made = SVG.has(name) ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, text] of Object.entries(attributes)) made.setAttribute(key, text);
  made.append(...children);
  return made;
}

export function show(id, ...children) {
  document.getElementById(id).replaceChildren(...children);
}

export function duration(seconds) {
  if (seconds == null) return "–";
  if (seconds < 1) return `${precise.format(seconds * 1000)} ms`;
  if (seconds < 120) return `${precise.format(seconds)} s`;
  if (seconds < 7200) return `${whole.format(seconds / 60)} min`;
  if (seconds < 172800) return `${whole.format(seconds / 3600)} h`;
  return `${whole.format(seconds / 86400)} days`;
}

export function ago(iso) {
  if (!iso) return "never";
  const seconds = (Date.now() - Date.parse(iso)) / 1000;
  return seconds < 5 ? "just now" : `${duration(seconds)} ago`;
}

export const at = (iso) => (iso ? instant.format(new Date(iso)) : "–");
export const day = (iso) => (iso ? date.format(new Date(iso)) : "–");

export function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  while (bytes >= 1000 && units.length > 1) {
    bytes /= 1024;
    units.shift();
  }
  return `${precise.format(bytes)} ${units[0]}`;
}

export function pairs(rows) {
  return rows.flatMap(([term, text]) => [element("dt", {}, term), element("dd", {}, text)]);
}

export function figures(rows) {
  return rows.map((pair) => element("div", {}, ...pairs([pair])));
}

export const mark = (look) => element("span", { class: `mark ${look}` });
export const empty = (text) => element("p", { class: "empty" }, text);

export function table(headings, rows, none) {
  if (!rows.length) return empty(none);
  const cells = (tag, texts) => element("tr", {}, ...texts.map((text) => element(tag, {}, text)));
  return element("table", {}, element("thead", {}, cells("th", headings)), element("tbody", {}, ...rows.map((texts) => cells("td", texts))));
}

async function answered(answer) {
  if (answer.status === 204) return null;
  if (answer.ok) return answer.json();
  const problem = await answer.json().catch(() => ({}));
  throw Object.assign(new Error(problem.detail ?? `the server answered ${answer.status}`), { status: answer.status });
}

export async function ask(path, query = {}) {
  const given = Object.entries(query).filter(([, text]) => text !== "" && text != null);
  const search = given.length ? `?${new URLSearchParams(given)}` : "";
  return answered(await fetch(path + search, { signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store" }));
}

export async function tell(path, body = {}, method = "POST") {
  // The header keeps other pages out: a browser sends it across origins only after asking, and is told no.
  const headers = { "Content-Type": "application/json", "X-HomeIQ-Page": "1" };
  const content = method === "DELETE" ? {} : { body: JSON.stringify(body) };
  return answered(await fetch(path, { method, headers, ...content, signal: AbortSignal.timeout(CHANGE_TIMEOUT_MS) }));
}
