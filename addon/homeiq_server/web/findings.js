// Findings, and what can be done about them: acknowledging, muting, and taking either back.

import { button } from "./actions.js";
import { ago, ask, at, day, element, empty, mark, show, tell } from "./dom.js";
import { LOOKS, SEVERITIES } from "./severity.js";

const SHOWN = 500;
const DAY_MS = 86400000;

function actions(finding, changed) {
  const path = `api/v1/findings/${finding.id}`;
  const act = (text, verb, body) => button(text, async () => {
    await tell(`${path}/${verb}`, body);
    await changed();
  });
  if (finding.resolved_at) return [];
  if (finding.muted) return [act("Unmute", "unmute")];
  return [
    finding.acknowledged_at ? act("Not seen yet", "unacknowledge") : act("Seen", "acknowledge"),
    act("Mute for 30 days", "mute", { until_us: (Date.now() + 30 * DAY_MS) * 1000 }),
    act("Mute", "mute", { until_us: null }),
  ];
}

function standing(finding) {
  if (finding.resolved_at) return `resolved ${ago(finding.resolved_at)}`;
  if (finding.muted) return finding.muted_until ? `muted until ${day(finding.muted_until)}` : "muted";
  return finding.acknowledged_at ? `seen ${ago(finding.acknowledged_at)}` : "";
}

const figure = (found) => (Array.isArray(found) ? found.join(", ") : found !== null && typeof found === "object" ? JSON.stringify(found) : String(found));

export function evidence(found) {
  const rows = Object.entries(found).map(([name, what]) =>
    element("tr", {}, element("th", { scope: "row" }, name.replaceAll("_", " ")), element("td", {}, figure(what))));
  return rows.length ? [element("details", {}, element("summary", {}, "What this rests on"), element("table", {}, element("tbody", {}, ...rows)))] : [];
}

export function card(finding, changed, { linked = true } = {}) {
  const title = linked && finding.device_id
    ? element("a", { href: `#device/${encodeURIComponent(finding.device_id)}` }, finding.title)
    : finding.title;
  const facts = [SEVERITIES[finding.severity], `since ${at(finding.since)}`, standing(finding)].filter(Boolean).join(" · ");
  return element("article", { class: "finding" },
    element("h3", {}, mark(LOOKS[finding.severity] ?? "idle"), title),
    element("p", {}, finding.explanation),
    ...(finding.affected.length ? [element("p", { class: "law" }, `${finding.affected.length} devices suffer from it.`)] : []),
    element("p", { class: "law" }, facts),
    ...evidence(finding.evidence),
    element("p", { class: "actions" }, ...actions(finding, changed)));
}

const NONE = {
  open: "Nothing: every device does what it should, as far as can be told.",
  muted: "Nothing is muted.",
  resolved: "Nothing was found yet that went away again.",
};

// Untidiness waits behind one line for each kind: it is for a rainy day.
function tidying(findings, changed) {
  const kinds = Map.groupBy(findings, ({ kind }) => kind);
  return [...kinds].map(([kind, some]) => element("details", { class: "finding" },
    element("summary", {}, `${kind.replaceAll("_", " ")}: ${some.length}`), ...some.map((finding) => card(finding, changed))));
}

export async function showFindings(which) {
  const query = { limit: SHOWN, state: which === "resolved" ? "resolved" : "open", muted: which === "resolved" ? "" : String(which === "muted") };
  const { findings, next_cursor: more } = await ask("api/v1/findings", query);
  const changed = () => showFindings(which);
  const urgent = findings.filter(({ severity }) => severity > 1).toSorted((one, other) => other.severity - one.severity);
  const shown = which === "open" ? urgent : findings;
  const untidy = which === "open" ? findings.filter(({ severity }) => severity <= 1) : [];
  show("findings",
    ...(shown.length ? shown.map((finding) => card(finding, changed)) : [empty(NONE[which])]),
    ...(untidy.length ? [element("h3", { class: "tidying" }, "To tidy up"), ...tidying(untidy, changed)] : []),
    ...(more ? [empty(`The newest ${SHOWN} are shown; the API lists all.`)] : []));
}
