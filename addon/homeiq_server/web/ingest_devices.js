// The devices that send, page by page: how each is, what it said last, and whether it may go on.

import { asked, button } from "./actions.js";
import { showToken } from "./device_token.js";
import { ago, ask, at, element, empty, mark, pairs, table, tell, value } from "./dom.js";
import { entry, isInUse, renew } from "./lists.js";
import { isThere, newestStates } from "./states.js";

const PAGE = 25;
const SHOWN_METRICS = 5;
const STATUSES = { PENDING: "has no token yet", ACTIVE: "may send", INACTIVE: "is resting", REVOKED: "is shut out", DELETED: "is deleted" };
const LIST = "ingest-devices";

const form = document.getElementById("ingest-filter");
const more = document.getElementById("ingest-more");
let shown = [];
let cursor = null;
let turn = 0;

form.addEventListener("input", () => refreshIngestDevices());
form.addEventListener("submit", (event) => event.preventDefault());
more.addEventListener("click", () => next(turn));

const metricsOf = (state) => Object.entries(state?.metrics ?? {}).sort(([one], [other]) => one.localeCompare(other));
const said = (what) => (typeof what === "number" ? value.format(what) : typeof what === "boolean" ? (what ? "on" : "off") : String(what ?? "–"));

function look(device, state) {
  if (device.status !== "ACTIVE") return { PENDING: "wait", INACTIVE: "idle", REVOKED: "bad", DELETED: "idle" }[device.status];
  if (!state?.last_seen_at) return "idle";
  return isThere(state) === false ? "bad" : "good";
}

function standing(device, state) {
  if (device.status !== "ACTIVE") return STATUSES[device.status];
  if (!state?.last_seen_at) return "has not sent anything yet";
  return `${isThere(state) === false ? "is missing, " : ""}seen ${ago(state.last_seen_at)}`;
}

function summary(device, state) {
  const metrics = metricsOf(state);
  const first = metrics.slice(0, SHOWN_METRICS).map(([name, { value: what }]) => `${name} ${said(what)}`).join(" · ");
  const rest = metrics.length > SHOWN_METRICS ? ` and ${metrics.length - SHOWN_METRICS} more` : "";
  return [
    element("span", { class: "title" }, mark(look(device, state)), device.name ?? device.device_id),
    element("span", { class: "law" }, ` ${standing(device, state)}`),
    ...(first ? [element("span", { class: "values" }, first + rest)] : []),
  ];
}

const link = (position) => `${value.format(position.latitude)}°, ${value.format(position.longitude)}°`;

function facts(device, state) {
  return [
    ["Id", element("code", {}, device.device_id)],
    ["Site", device.site_id],
    ["State", STATUSES[device.status]],
    ["Made by", [device.manufacturer, device.model].filter(Boolean).join(" ")],
    ["Firmware", device.sw_version],
    ["Sign of life", device.heartbeat_s && `promised every ${device.heartbeat_s} s`],
    ["Last seen", state?.last_seen_at && ago(state.last_seen_at)],
    ["Position", state?.latitude != null && link(state)],
    ["Came by", device.provisioned_by === "key" ? "registering itself" : "being added here or by the API"],
    ["Added", at(device.created_at)],
  ].filter(([, text]) => text);
}

function actions({ device_id: id, name, status }) {
  const path = `tenant/v1/devices/${encodeURIComponent(id)}`;
  const called = name ?? id;
  const act = (text, verb, question) => asked(text, question, async () => {
    await tell(`${path}/${verb}`);
    await refreshIngestDevices();
  });
  const all = {
    token: asked("New token", `${called} gets a new token. The one that it has is dead at once.`, async () => {
      showToken(id, (await tell(`${path}/rotate-token`)).token);
      await refreshIngestDevices();
    }),
    rest: act("Let it rest", "suspend", `What ${called} sends is refused until it is taken in again. It keeps its token.`),
    revoke: act("Shut out", "revoke", `${called} is shut out at once, and its token is taken from it.`),
    again: act("Take in again", "reactivate", `${called} may send again, once it has a token.`),
    delete: asked("Delete", `${called} is deleted with its token. Its history stays.`, async () => {
      await tell(path, {}, "DELETE");
      await refreshIngestDevices();
    }),
  };
  const possible = { PENDING: ["token", "revoke", "delete"], ACTIVE: ["token", "rest", "revoke", "delete"],
    INACTIVE: ["again", "revoke", "delete"], REVOKED: ["again", "delete"], DELETED: [] };
  return element("p", { class: "actions" }, ...possible[status].map((key) => all[key]));
}

function row(device, state) {
  const values = metricsOf(state).map(([name, { value: what, at: when }]) => [name, said(what), ago(when)]);
  return entry(device.device_id, summary(device, state),
    element("dl", { class: "facts" }, ...pairs(facts(device, state))),
    ...(values.length ? [table(["Value", "Newest", "From"], values, "")] : []),
    actions(device));
}

const FIRST_STEPS = "No device sends yet. Add one above: you get its token, and a command that shows what it has to send. As soon as something comes, the device stands here and in Home Assistant.";

function draw(states, isFiltered) {
  const none = isFiltered ? "No device is like this." : FIRST_STEPS;
  renew(LIST, ...(shown.length ? shown.map((device) => row(device, states.get(device.device_id))) : [empty(none)]));
  more.hidden = cursor === null;
  if (!shown.length && !isFiltered) document.getElementById("ingest-adding").open = true;
}

async function next(mine, limit = PAGE) {
  const query = Object.fromEntries(new FormData(form));
  const [{ devices, next_cursor: following }, states] = await Promise.all([
    ask("tenant/v1/devices", { ...query, limit, cursor }), newestStates()]);
  if (mine !== turn) return; // another choice was made meanwhile
  shown = [...shown, ...devices];
  cursor = following;
  draw(states, query.search !== "" || query.status !== "");
}

export async function refreshIngestDevices({ gently = false } = {}) {
  if (gently && isInUse(LIST)) return;
  const limit = Math.min(500, Math.max(PAGE, shown.length));
  turn += 1;
  [shown, cursor] = [[], null];
  await next(turn, limit);
}
