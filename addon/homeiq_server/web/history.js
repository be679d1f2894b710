// Where every event and line is: what api/v1/status answers.

import { ago, ask, at, duration, element, empty, figures, pairs, share, show, size, table, whole } from "./dom.js";

const SHOWN_DEAD_LETTERS = 10;
const SHOWN_CHARACTERS = 200;
const GAP_REASONS = {
  restart: "not connected",
  overflow: "buffer full",
  hole: "lost here",
  dropped: "dropped here",
  damage: "file damaged",
};
// In the order in which they are shown; whatever else there is comes last, under its own name.
const CHANNELS = {
  events: "received as they happened",
  backfill: "filled in from Home Assistant's recorder",
  statistics: "hours of long-term statistics",
  line_protocol: "lines from other clients",
  own: "gaps, told to the database",
};
const DATABASE_STATES = {
  ok: "takes everything",
  starting: "is starting",
  unreachable: "does not answer",
  refusing: "takes nothing at the moment",
  misconfigured: "refuses us",
  off: "history is switched off",
};

const STORE_STATES = {
  off: "is switched off",
  starting: "is starting",
  ok: "works",
  unreachable: "does not answer",
  misconfigured: "cannot be used as it is set up",
};

const counted = (term, count, what) => (count ? [[term, `${whole.format(count)} ${what}`]] : []);

// One stacked bar: each part's width is its share of the sum.
function bar(parts, sum) {
  const picture = element("svg", { class: "bar", viewBox: "0 0 1000 1", preserveAspectRatio: "none", "aria-hidden": "true" });
  picture.append(element("rect", { class: "track", width: 1000, height: 1 }));
  let left = 0;
  for (const { count, look } of parts) {
    const width = sum ? (1000 * count) / sum : 0;
    picture.append(element("rect", { class: look, x: left, width, height: 1 }));
    left += width;
  }
  return picture;
}

function row(name, count, look, reason = false) {
  const mark = look ? [element("span", { class: `mark ${look}` })] : [];
  return element("tr", { class: reason ? "part" : look ? "" : "sum" },
    element("th", { scope: "row" }, ...mark, name),
    element("td", { class: "number" }, whole.format(count)));
}

// A law: the sum, and the parts that make it up, with their reasons.
function law(sumName, sum, parts) {
  const rows = parts.flatMap(({ name, count, look, reasons = {} }) =>
    [row(name, count, look), ...Object.entries(reasons).map(([reason, of]) => row(reason, of, "", true))]);
  const table = element("table", {}, element("tbody", {}, row(sumName, sum, ""), ...rows));
  return [bar(parts, sum), table];
}

function intake(channels) {
  const names = [...new Set([...Object.keys(CHANNELS), ...Object.keys(channels)])].filter((name) => channels[name]);
  if (!names.length) {
    return [empty("Nothing has come yet. Set up the HomeIQ integration in Home Assistant.")];
  }
  return names.flatMap((name) => {
    const channel = channels[name];
    const fates = [
      { name: "converted", count: channel.converted, look: "good" },
      { name: "skipped", count: channel.skipped, look: "idle", reasons: channel.skipped_by_reason },
      { name: "duplicate", count: channel.duplicate, look: "wait" },
      { name: "rejected", count: channel.rejected, look: "bad", reasons: channel.rejected_by_reason },
    ];
    return law(CHANNELS[name] ?? name, channel.received, name === "events" ? fates : fates.filter(({ count }) => count));
  });
}

function lines(totals) {
  return law("stored", totals.spooled, [
    { name: "written", count: totals.written, look: "good" },
    { name: "queued", count: totals.queued, look: "wait" },
    { name: "dead letters", count: totals.dead, look: "bad" },
    { name: "dropped", count: totals.dropped, look: "warn", reasons: totals.dropped_by_reason },
  ]);
}

function gap({ start, end, events, reason, open, missed }) {
  const state = open ? "open" : missed == null ? "closed" : missed ? `${whole.format(missed)} missed` : "filled";
  const lasted = duration((Date.parse(end) - Date.parse(start)) / 1000);
  return [at(start), lasted, events == null ? "not counted" : whole.format(events), GAP_REASONS[reason] ?? reason, state];
}

function deadLetter({ died_us, count, reason, line }) {
  const start = line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS)} …` : line;
  return [at(died_us / 1000), whole.format(count), reason, element("code", {}, start)];
}

function store({ store: { state, embedded, version, error }, insights }) {
  return [
    ["State", STORE_STATES[state] ?? state],
    ["Product", version ? `PostgreSQL ${version}${embedded ? " (embedded)" : ""}` : "–"],
    ...(error ? [["Says", error]] : []),
    ...(insights ? [
      ["Entities watched", whole.format(insights.tracked)],
      ...counted("Forgotten", insights.evicted, "entities, the least recently heard"),
      ["Last judged", ago(insights.evaluated_at)],
    ] : []),
  ];
}

export function showHistory(status) {
  const { database, spool, latency, rates, gaps, history } = status;
  show("rates", ...figures([
    ["events a minute", whole.format(rates.events_per_minute)],
    ["lines written a minute", whole.format(rates.lines_written_per_minute)],
    ["accepted to database, p99", duration(latency.accepted_to_written_p99_s)],
    ["queue on disk", `${share.format(spool.fill)} of ${size(spool.limit_bytes)}`],
  ]));
  show("database", ...pairs([
    ["State", DATABASE_STATES[database.state] ?? database.state],
    ["Product", [database.product, database.version, database.embedded ? "(embedded)" : ""].filter(Boolean).join(" ") || "–"],
    ...(database.error ? [["Says", database.error]] : []),
    ...(database.retry_in_s == null ? [] : [["Next try", `in ${duration(database.retry_in_s)}`]]),
    ["Last write", ago(database.last_write_at)],
    ["Newest point", ago(database.newest_point_at)],
    ["Sent, not yet safe", `${whole.format(database.settling)} lines`],
    ...counted("Sent once more", database.sent_again, "lines"),
    ...counted("Sent as another type", database.coerced, "fields"),
    ...counted("Sent under another key", database.diverted, "fields"),
    ...Object.entries(history.left_out).flatMap(([what, count]) => counted("Cannot hold", count, what)),
  ]));
  show("intake", ...intake(status.intake));
  show("lines", ...lines(status.lines));
  show("gaps", ...(status.missed ? [element("p", { class: "law" }, `${whole.format(status.missed)} events are missing for good: nobody has them any more.`)] : []),
    table(["From", "Lasted", "Events", "Why", "State"], gaps.newest.map(gap), "None: nothing is known to be missing."));
  show("sources", table(["Instance", "Newest event", "Last heard of"],
    status.sources.map((source) => [source.source.slice(0, 8), at(source.last_event_at), ago(source.last_seen_at)]),
    "None has sent anything yet."));
  show("store", ...pairs(store(status)));
}

let shownDead = 0;

// Asked for only when their number has changed: most homes have none.
export async function refreshDead(count) {
  document.getElementById("dead-section").hidden = !count;
  if (count === shownDead) return;
  const { dead_letters: letters } = count ? await ask("api/v1/dead-letters", { limit: SHOWN_DEAD_LETTERS }) : { dead_letters: [] };
  show("dead", table(["Refused", "Lines", "Why", "Line"], letters.map(deadLetter), "None."));
  shownDead = count;
}
