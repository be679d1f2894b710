// What alerts are open, what can be done about them, and what was.

import { button } from "./actions.js";
import { KINDS, OPERATORS } from "./alert_words.js";
import { ago, ask, at, element, empty, mark, tell, whole } from "./dom.js";
import { evidence } from "./findings.js";
import { entry, isInUse, renew } from "./lists.js";
import { LOOKS, SEVERITIES } from "./severity.js";

const PAGE = 100;
const PAST = 10;
const MINUTE_MS = 60000;
const DAY_MS = 1440 * MINUTE_MS;

const more = document.getElementById("past-alerts-more");
let past = [];
let pastCursor = null;

more.addEventListener("click", () => showPast());

// The time of a clock on the wall, as an input for it wants.
function localInput(moment) {
  return new Date(moment - new Date(moment).getTimezoneOffset() * MINUTE_MS).toISOString().slice(0, 16);
}

async function act(alert, verb, body) {
  await tell(`tenant/v1/alerts/${alert.id}/${verb}`, body);
  await refreshAlertLists();
}

const TIME = /^\d{4}-\d\d-\d\dT/;

// What an alert rests on, in the words of people.
function told(details) {
  const words = (name, what) => (typeof what === "string" && TIME.test(what) ? at(what) : name === "operator" ? OPERATORS[what] ?? what : what);
  return Object.fromEntries(Object.entries(details).filter(([, what]) => what !== null).map(([name, what]) => [name, words(name, what)]));
}

const isSilent = ({ silenced_until: until }) => until !== null && Date.parse(until) > Date.now();

function silencing(alert) {
  const until = element("input", { type: "datetime-local", value: localInput(Date.now() + DAY_MS), min: localInput(Date.now()) });
  const press = button("Silence", async () => {
    if (!until.value) throw new Error("choose a time first");
    await act(alert, "silence", { until: new Date(until.value).toISOString() });
  });
  return [element("label", { class: "inline" }, "Until", until), press];
}

function standing(alert) {
  return [
    SEVERITIES[alert.severity],
    KINDS[alert.kind] ?? alert.kind,
    `since ${at(alert.opened_at)}`,
    alert.count > 1 && `noted ${whole.format(alert.count)} times`,
    alert.acknowledged_at && `seen ${ago(alert.acknowledged_at)}`,
    isSilent(alert) && `nobody is told until ${at(alert.silenced_until)}`,
    alert.cleared_at && `over ${ago(alert.cleared_at)}`,
  ].filter(Boolean).join(" · ");
}

function card(alert) {
  const seen = alert.acknowledged_at
    ? button("Not seen yet", () => act(alert, "unacknowledge"))
    : button("Seen", () => act(alert, "acknowledge"));
  return element("article", { class: "finding", "data-key": `alert-${alert.id}` },
    element("h3", {}, mark(LOOKS[alert.severity] ?? "idle"), alert.summary),
    element("p", { class: "law" }, standing(alert)),
    ...evidence(told(alert.details)),
    ...(isSilent(alert) ? [] : [element("details", {}, element("summary", {}, "Tell nobody for a while"), element("p", { class: "actions" }, ...silencing(alert)))]),
    element("p", { class: "actions" }, seen, button("Clear", () => act(alert, "clear")),
      ...(isSilent(alert) ? [button("End the silence", () => act(alert, "silence", { until: null }))] : [])));
}

function pastRow(alert) {
  return entry(`past-${alert.id}`, [
    element("span", { class: "title" }, mark(LOOKS[alert.severity] ?? "idle"), alert.summary),
    element("span", { class: "law" }, ` ${ago(alert.cleared_at)}`),
  ], element("p", { class: "law" }, standing(alert)), ...evidence(told(alert.details)));
}

async function showOpen() {
  const answers = await Promise.all(["open", "acknowledged"].map((state) => ask("tenant/v1/alerts", { state, limit: PAGE })));
  const alerts = answers.flatMap((answer) => answer.alerts.toSorted((one, other) => other.severity - one.severity));
  renew("open-alerts",
    ...(alerts.length ? alerts.map(card) : [empty("None: nothing that a rule watches is out of order.")]),
    ...(answers.some((answer) => answer.next_cursor) ? [empty(`The newest ${PAGE} are shown; the API lists all.`)] : []));
}

async function showPast({ anew = false } = {}) {
  const { alerts, next_cursor: following } = await ask("tenant/v1/alerts", { state: "cleared", limit: PAST, cursor: anew ? null : pastCursor });
  past = anew ? alerts : [...past, ...alerts];
  pastCursor = following;
  renew("past-alerts", ...(past.length ? past.map(pastRow) : [empty("None yet.")]));
  more.hidden = following === null;
}

export async function refreshAlertLists({ gently = false } = {}) {
  if (!gently || !isInUse("open-alerts")) await showOpen();
  if (!gently || (!isInUse("past-alerts") && past.length <= PAST)) await showPast({ anew: true });
}
