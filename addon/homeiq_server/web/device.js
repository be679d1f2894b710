// One device: how it is and why, what was measured, what belongs to it.

import { ago, ask, at, day, element, empty, pairs, show, table, value, whole } from "./dom.js";
import { healthText } from "./devices.js";
import { card } from "./findings.js";
import { hourly, score } from "./plot.js";

const PLOTS = 8;

function section(title, ...children) {
  return element("section", { class: "wide" }, element("h2", {}, title), ...children);
}

const link = (device) => element("a", { href: `#device/${encodeURIComponent(device.id)}` }, device.name);

function links(devices) {
  return element("span", {}, ...devices.flatMap((device, index) => (index ? [", ", link(device)] : [link(device)])));
}

const known = (rows) => rows.filter(([, text]) => text !== null && text !== undefined && text !== "");

function about(device) {
  const { facts, relationships: others } = device;
  return known([
    ["Area", [device.area, device.floor].filter(Boolean).join(", ")],
    ["Integration", device.integration],
    ["Made by", [device.manufacturer, device.model].filter(Boolean).join(" ")],
    ["Firmware", device.sw_version],
    ["Hardware", device.hw_version],
    ["Serial number", device.serial_number],
    ["Talks through", others.hub && link(others.hub)],
    ["Part of", others.parent && link(others.parent)],
    ["Its parts", others.children.length ? links(others.children) : null],
    ["Talk through it", others.connected.length ? links(others.connected) : null],
    ["Available", facts?.available == null ? null : facts.available ? "yes" : "no"],
    ["Battery", facts?.battery_level == null ? (facts?.battery_low ? "low" : null) : `${value.format(facts.battery_level)} %`],
    ["Link", facts?.link_quality == null ? null : `${value.format(facts.link_quality)} ${facts.link_unit ?? ""}`],
    ["Last seen", facts?.last_seen_at && ago(facts.last_seen_at)],
    ["Last reported", facts?.last_reported_at && ago(facts.last_reported_at)],
    ["Removed", device.removed_at && at(device.removed_at)],
  ]);
}

const INTERVIEWS = { SUCCESSFUL: "complete", IN_PROGRESS: "running", PENDING: "not begun", FAILED: "failed: pair the device again" };

function zigbee({ zigbee: told }) {
  if (!told) return [];
  return [section("Zigbee", element("dl", { class: "facts" }, ...pairs(known([
    ["Name in Zigbee2MQTT", told.friendly_name],
    ["Address", told.ieee],
    ["Model", [told.vendor, told.model, told.description].filter(Boolean).join(", ")],
    ["Role", { Router: "router: others talk through it", EndDevice: "end device" }[told.type] ?? told.type],
    ["Power", told.power_source],
    ["Interview", INTERVIEWS[told.interview_state] ?? told.interview_state],
    ["Available", told.available == null ? null : told.available ? "yes" : "no"],
    ["Link", told.link_quality == null ? null : `${whole.format(told.link_quality)} LQI`],
    ["Heard by the hub", told.last_seen_at && ago(told.last_seen_at)],
  ]))))];
}

function health(device) {
  const { health: judged, health_history: history } = device;
  if (!judged) return [element("p", {}, ...healthText(device))];
  const lost = judged.deductions.map(({ name, points, since }) => [name.replaceAll("_", " "), `−${points}`, at(since)]);
  const end = judged.battery_end;
  return [
    element("p", { class: "score" }, ...healthText(device)),
    ...(judged.state === "learning" ? [empty("Too little was seen of it so far to say anything.")] : []),
    ...(judged.state === "affected" ? [empty("Something that it depends on is down; see there.")] : []),
    ...(lost.length ? [table(["For", "Points", "Since"], lost, "")] : []),
    ...(end ? [element("p", {}, `The battery is likely to be empty between ${day(end.earliest)} and ${day(end.latest)}.`)] : []),
    ...(history.some(({ score: points }) => points !== null) ? [score(history)] : []),
  ];
}

function entityRow(entity) {
  return [entity.name ?? entity.entity_id, entity.entity_id, entity.device_class ?? "–", entity.disabled_by ? "disabled" : entity.removed_at ? "removed" : ""];
}

async function plots({ source, entities }) {
  const numeric = entities.filter((entity) => !entity.removed_at && !entity.disabled_by && (entity.unit || entity.state_class)).slice(0, PLOTS);
  const answers = await Promise.all(numeric.map((entity) => ask("api/v1/hours", { source, id: entity.id })));
  return numeric.flatMap((entity, index) => (answers[index].hours.length
    ? [hourly(entity.name ?? entity.entity_id, entity.unit, answers[index].hours)] : []));
}

export async function openDevice(id) {
  const device = await ask(`api/v1/devices/${encodeURIComponent(id)}`);
  const open = device.findings.filter(({ resolved_at: resolved }) => !resolved);
  const past = device.findings.filter(({ resolved_at: resolved }) => resolved);
  const changed = () => openDevice(id);
  const drawn = await plots(device);
  show("device",
    section(device.name, element("dl", { class: "facts" }, ...pairs(about(device)))),
    ...zigbee(device),
    section("Health", ...health(device)),
    section("Findings", ...(open.length ? open.map((finding) => card(finding, changed, { linked: false })) : [empty("None.")]),
      ...(past.length ? [element("details", {}, element("summary", {}, `${past.length} earlier`), ...past.map((finding) => card(finding, changed, { linked: false })))] : [])),
    section("The last seven days", ...(drawn.length ? drawn : [empty("No numbers were measured yet.")])),
    section("Entities", table(["Name", "Entity", "Class", ""], device.entities.map(entityRow), "None.")));
}
