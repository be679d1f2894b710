// All devices, filtered by the server, page by page.

import { ago, ask, element, empty, mark, show, value } from "./dom.js";

const PAGE = 50;
const LOOKS = { good: "good", fair: "warn", poor: "bad", affected: "wait", learning: "idle" };
const HEALTHS = { unhealthy: "not well", poor: "poor", fair: "fair", good: "good", affected: "held up by others", learning: "being learnt" };

const form = document.getElementById("devices-filter");
const more = document.getElementById("devices-more");
let cursor = null;
let asked = 0;

form.addEventListener("input", () => refreshDevices());
form.addEventListener("submit", (event) => event.preventDefault());
more.addEventListener("click", () => next(asked));

export function healthText({ health, entry_type: type, disabled_by: disabled }) {
  if (type === "service" || disabled) return [disabled ? "disabled" : "no thing, a service"];
  if (!health) return [mark("idle"), "not judged yet"];
  return [mark(LOOKS[health.state]), health.score === null ? HEALTHS[health.state] : `${health.score}`];
}

export const kindText = (kind) => kind.replaceAll("_", " ");

function row(device) {
  const { facts } = device;
  const texts = [
    [element("a", { href: `#device/${encodeURIComponent(device.id)}` }, device.name)],
    [device.area ?? "–"],
    [device.integration ?? "–"],
    healthText(device),
    [device.findings.map(kindText).join(", ")],
    [facts?.battery_level == null ? (facts?.battery_low ? "low" : "–") : `${value.format(facts.battery_level)} %`],
    [facts?.last_seen_at ? ago(facts.last_seen_at) : "–"],
  ];
  return element("tr", {}, ...texts.map((parts) => element("td", {}, ...parts)));
}

function fill(name, choices) {
  const select = form.elements[name];
  const chosen = select.value;
  select.replaceChildren(element("option", { value: "" }, "all"), ...choices.map(([key, text]) => element("option", { value: key }, text)));
  select.value = choices.some(([key]) => key === chosen) ? chosen : "";
}

async function refreshFilters() {
  const filters = await ask("api/v1/devices/filters");
  fill("area", filters.areas.map(({ id, name, devices }) => [id, `${name} (${devices})`]));
  fill("integration", filters.integrations.filter(({ name }) => name).map(({ name, devices }) => [name, `${name} (${devices})`]));
  fill("health", Object.entries(HEALTHS).map(([key, text]) => [key, text]));
  fill("finding", [["any", "any"], ...Object.entries(filters.findings).map(([kind, count]) => [kind, `${kindText(kind)} (${count})`])]);
}

async function next(turn) {
  const query = Object.fromEntries(new FormData(form));
  const { devices, next_cursor: following } = await ask("api/v1/devices", { ...query, limit: PAGE, cursor });
  if (turn !== asked) return; // another choice was made meanwhile
  if (cursor === null) {
    const headings = ["Device", "Area", "Integration", "Health", "Findings", "Battery", "Last seen"];
    show("devices-list", devices.length
      ? element("table", {}, element("thead", {}, element("tr", {}, ...headings.map((text) => element("th", {}, text)))), element("tbody", {}))
      : empty("No device is like this. Home Assistant tells of its devices as soon as the integration is connected."));
  }
  document.querySelector("#devices-list tbody")?.append(...devices.map(row));
  cursor = following;
  more.hidden = following === null;
}

export async function refreshDevices() {
  cursor = null;
  asked += 1;
  await next(asked);
}

export async function openDevices() {
  await refreshFilters();
  await refreshDevices();
}
