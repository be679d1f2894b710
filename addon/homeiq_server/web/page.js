// Shows one view at a time, by the part of the address after the #, and asks for the status every two seconds.

import { ask, duration, element, show } from "./dom.js";
import { openAlerts, refreshAlerts } from "./alerts.js";
import { openDevice } from "./device.js";
import { openDevices } from "./devices.js";
import { refreshHealth } from "./health.js";
import { refreshDead, showHistory } from "./history.js";
import { openIngest, refreshIngest, showIngest } from "./ingest.js";

const REFRESH_MS = 2000;
const VIEW_EVERY = 15;
const HEADLINES = {
  ok: "Every event is kept",
  degraded: "Events are kept, but something needs a look",
  unhealthy: "Events are not accepted at the moment",
  spool_dropping: "The queue is full: its oldest lines are being dropped",
};
const VIEWS = {
  health: refreshHealth,
  devices: openDevices,
  device: openDevice,
  ingest: openIngest,
  alerts: openAlerts,
  history: async () => {},
};
// What is drawn anew while it is looked at, and without disturbing who works in it.
const FOLLOWED = { health: refreshHealth, ingest: refreshIngest, alerts: refreshAlerts };

let offered = null;
let turns = 0;
let lacks = false;

function views({ store, ingest }) {
  if (store.state === "off") return ["history"];
  return ["health", "devices", "device", ...(ingest ? ["ingest", "alerts"] : []), "history"];
}

function place() {
  const [name, id] = location.hash.slice(1).split("/");
  return [offered.includes(name) ? name : offered[0], id && decodeURIComponent(id)];
}

async function open() {
  if (!offered) return;
  const [name, id] = place();
  for (const view of Object.keys(VIEWS)) document.getElementById(view).hidden = view !== name;
  for (const link of document.querySelectorAll("nav a")) {
    link.hidden = !offered.includes(link.hash.slice(1));
    if (link.hash === `#${name === "device" ? "devices" : name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  await attempt(() => VIEWS[name](id));
}

// What a view cannot get is said where the view's trouble would be looked for, and tried again by itself.
async function attempt(work) {
  try {
    await work();
    lacks = false;
    show("about", "");
  } catch (err) {
    lacks = true;
    show("about", element("span", { class: "warn", role: "alert" }, `This cannot be shown: ${err.message}`));
  }
}

function headline(level, text) {
  const line = document.getElementById("headline");
  line.dataset.level = level;
  if (line.textContent !== text) line.textContent = text; // a screen reader repeats what is set
}

async function refresh() {
  try {
    const status = await ask("api/v1/status");
    headline(status.status, HEADLINES[status.reasons[0]?.code] ?? HEADLINES[status.status]);
    show("reasons", ...status.reasons.map((reason) => element("li", {}, reason.message)));
    show("version", `HomeIQ ${status.version}, running for ${duration(status.uptime_s)}.`);
    document.getElementById("api-link").hidden = !status.ingest;
    showHistory(status);
    if (status.ingest) showIngest(status.ingest);
    await refreshDead(status.lines.dead);
    await follow(views(status));
  } catch {
    headline("unhealthy", "The server does not answer");
    show("reasons", element("li", {}, "What stands below is what it said last. See the app's log in Home Assistant."));
  } finally {
    setTimeout(refresh, REFRESH_MS);
  }
}

async function follow(nowOffered) {
  turns += 1;
  if (String(nowOffered) !== String(offered)) {
    offered = nowOffered;
    await open();
  } else if (turns % VIEW_EVERY === 0) {
    const drawAgain = FOLLOWED[place()[0]];
    if (lacks) await open();
    else if (drawAgain) await attempt(drawAgain);
  }
}

addEventListener("hashchange", open);
refresh();
