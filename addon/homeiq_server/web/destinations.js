// Where alerts go: each place with the severities that go there, and whether it works.

import { asked, button } from "./actions.js";
import { CHANGES, PLACES } from "./alert_words.js";
import { ask, at, duration, element, empty, mark, tell } from "./dom.js";
import { isInUse, renew } from "./lists.js";
import { showSecret } from "./secret.js";
import { MOST_FIRST, SEVERITIES } from "./severity.js";

const LIST = "destinations";
const MOST = 200;

function address({ kind, config }) {
  return { webhook: config.url, mqtt: config.topic, email: config.recipients?.join(", ") }[kind] ?? "as events there";
}

const severities = (route) => (route.severities.length === MOST_FIRST.length
  ? "all"
  : MOST_FIRST.filter((one) => route.severities.includes(one)).map((one) => SEVERITIES[one]).join(", "));

function goesThere(route) {
  const paused = route.paused_until && Date.parse(route.paused_until) > Date.now()
    ? element("p", { class: "warn" }, `Held back until ${at(route.paused_until)}, because ${route.failures} attempts failed.`) : "";
  return element("div", {}, element("p", {}, `${severities(route)}${route.enabled ? "" : " (switched off)"}`),
    element("p", { class: "law" }, `when ${route.deliver_on.map((one) => CHANGES[one] ?? one).join(", ")}`), paused);
}

function verdict(trial, kind) {
  if (!trial.ok) return `It did not work: ${trial.error ?? `answered ${trial.status}`}.`;
  return kind === "home_assistant" ? "It waits to be fetched by Home Assistant." : `It works: taken in ${duration(trial.duration_s)}.`;
}

function actions(place) {
  const path = `tenant/v1/integrations/${place.id}`;
  const told = element("p", { role: "status" });
  const test = button("Test", async () => {
    told.textContent = "Sending …";
    told.className = "law";
    try {
      const trial = await tell(`${path}/test`);
      told.textContent = verdict(trial, place.kind);
      told.className = trial.ok ? "good" : "bad";
    } catch (err) {
      told.textContent = "";
      throw err;
    }
  });
  const change = button(place.enabled ? "Switch off" : "Switch on", async () => {
    await tell(path, { enabled: !place.enabled }, "PATCH");
    await refreshDestinations();
  });
  const renewed = place.kind === "webhook" ? [asked("New secret", `What goes to “${place.name}” is signed with the new secret and with the old one, until the old one is retired by the API.`, async () => {
    showSigning(place.name, (await tell(`${path}/rotate-secret`)).secret);
    await refreshDestinations();
  })] : [];
  const remove = asked("Delete", `“${place.name}” is deleted, with everything that waits to go there.`, async () => {
    await tell(path, {}, "DELETE");
    await refreshDestinations();
  });
  return element("div", {}, element("p", { class: "actions" }, test, change, ...renewed, remove), told);
}

function row(place, routes) {
  const own = routes.filter((route) => route.integration_id === place.id);
  const isFailing = own.some(({ failures }) => failures > 0);
  const look = !place.enabled ? "idle" : isFailing ? "bad" : "good";
  const cells = [
    element("div", {}, element("p", {}, mark(look), place.name),
      element("p", { class: "law" }, `${PLACES[place.kind]}${place.enabled ? "" : ", switched off"}`),
      element("p", { class: "law" }, element("code", {}, address(place)))),
    own.length ? element("div", {}, ...own.map(goesThere)) : "none: it has no route; delete it and add it again",
    actions(place),
  ];
  return element("tr", { "data-key": place.id }, ...cells.map((cell) => element("td", {}, cell)));
}

export function showSigning(name, secret) {
  showSecret("destination-secret", `The signing secret of ${name}`, "secret", secret);
}

export async function refreshDestinations({ gently = false } = {}) {
  if (gently && (isInUse(LIST) || document.querySelector(`#${LIST} [role=status]:not(:empty)`))) return;
  const [{ integrations }, { routes }] = await Promise.all([ask("tenant/v1/integrations", { limit: MOST }), ask("tenant/v1/routes", { limit: MOST })]);
  const head = ["Where", "Which alerts", "What to do"].map((text) => element("th", { scope: "col" }, text));
  renew(LIST, integrations.length
    ? element("table", { class: "stacking" }, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...integrations.map((place) => row(place, routes))))
    : empty("Alerts are shown on this page, and go nowhere. Add a place below, such as a webhook or an email address."));
}
