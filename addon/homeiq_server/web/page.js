// Shows one view at a time, by the part of the address after the #, and asks for the status every two seconds.

import { ask, duration, element, show } from "./dom.js";
import { openDevice } from "./device.js";
import { openDevices } from "./devices.js";
import { refreshHealth } from "./health.js";
import { refreshDead, showHistory } from "./history.js";

const REFRESH_MS = 2000;
const HEALTH_EVERY = 15;
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
  history: async () => {},
};

let storeIsOff = false;
let turns = 0;

function place() {
  const [name, id] = location.hash.slice(1).split("/");
  const known = VIEWS[name] ? name : "health";
  return [storeIsOff ? "history" : known, id && decodeURIComponent(id)];
}

async function open() {
  const [name, id] = place();
  for (const view of Object.keys(VIEWS)) document.getElementById(view).hidden = view !== name;
  for (const link of document.querySelectorAll("nav a")) {
    link.hidden = storeIsOff && link.hash !== "#history";
    if (link.hash === `#${name === "device" ? "devices" : name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  await attempt(() => VIEWS[name](id));
}

// What a view cannot get is said where the view's trouble would be looked for, and tried again by itself.
async function attempt(work) {
  try {
    await work();
    show("about", "");
  } catch (err) {
    show("about", element("span", { class: "warn", role: "alert" }, `Devices cannot be shown: ${err.message}`));
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
    showHistory(status);
    await refreshDead(status.lines.dead);
    await follow(status.store.state === "off");
  } catch {
    headline("unhealthy", "The server does not answer");
    show("reasons", element("li", {}, "What stands below is what it said last. See the app's log in Home Assistant."));
  } finally {
    setTimeout(refresh, REFRESH_MS);
  }
}

async function follow(isOff) {
  turns += 1;
  if (turns === 1 || isOff !== storeIsOff) {
    storeIsOff = isOff;
    await open();
  } else if (turns % HEALTH_EVERY === 0 && place()[0] === "health") {
    await attempt(refreshHealth);
  }
}

addEventListener("hashchange", open);
refresh();
