// Shows what api/v1/status answers, every two seconds. Text is only ever set as text, never as markup.

const REFRESH_MS = 2000;
const SHOWN_DEAD_LETTERS = 10;
const SHOWN_CHARACTERS = 200;
const TIMEOUT_MS = 5000;
const HEADLINES = {
  ok: "All is well",
  degraded: "Events are kept, but something needs a look",
  unhealthy: "Events are not accepted at the moment",
  spool_dropping: "The queue is full: its oldest lines are being dropped",
};
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

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const precise = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 2 });
const share = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const instant = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });

function element(name, attributes = {}, ...children) {
  const svg = name === "svg" || name === "rect";
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function show(id, ...children) {
  document.getElementById(id).replaceChildren(...children);
}

function duration(seconds) {
  if (seconds == null) return "–";
  if (seconds < 1) return `${precise.format(seconds * 1000)} ms`;
  if (seconds < 120) return `${precise.format(seconds)} s`;
  if (seconds < 7200) return `${whole.format(seconds / 60)} min`;
  if (seconds < 172800) return `${whole.format(seconds / 3600)} h`;
  return `${whole.format(seconds / 86400)} days`;
}

const ago = (iso) => (iso ? `${duration(Math.max(0, (Date.now() - Date.parse(iso)) / 1000))} ago` : "never");
const at = (iso) => (iso ? instant.format(new Date(iso)) : "–");

function size(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  while (bytes >= 1000 && units.length > 1) {
    bytes /= 1024;
    units.shift();
  }
  return `${precise.format(bytes)} ${units[0]}`;
}

const counted = (term, count, what) => (count ? [[term, `${whole.format(count)} ${what}`]] : []);

function pairs(rows) {
  return rows.flatMap(([term, text]) => [element("dt", {}, term), element("dd", {}, text)]);
}

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
    return [element("p", { class: "empty" }, "Nothing has come yet. Set up the HomeIQ integration in Home Assistant.")];
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

function table(headings, rows, empty) {
  if (!rows.length) return element("p", { class: "empty" }, empty);
  const cells = (tag, texts) => element("tr", {}, ...texts.map((text) => element(tag, {}, text)));
  return element("table", {}, element("thead", {}, cells("th", headings)), element("tbody", {}, ...rows.map((texts) => cells("td", texts))));
}

function render(status) {
  const { database, spool, latency, rates, gaps, history } = status;
  headline(status.status, HEADLINES[status.reasons[0]?.code] ?? HEADLINES[status.status]);
  show("reasons", ...status.reasons.map((reason) => element("li", {}, reason.message)));
  show("rates", ...[
    ["events a minute", whole.format(rates.events_per_minute)],
    ["lines written a minute", whole.format(rates.lines_written_per_minute)],
    ["accepted to database, p99", duration(latency.accepted_to_written_p99_s)],
    ["queue on disk", `${share.format(spool.fill)} of ${size(spool.limit_bytes)}`],
  ].map((pair) => element("div", {}, ...pairs([pair]))));
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
  show("about", `HomeIQ ${status.version}, running for ${duration(status.uptime_s)}.`);
}

function headline(level, text) {
  const line = document.getElementById("headline");
  line.dataset.level = level;
  if (line.textContent !== text) line.textContent = text;  // a screen reader repeats what is set
}

async function ask(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store" });
  if (!answer.ok) throw new Error(`it answered ${answer.status}`);
  return answer.json();
}

let shownDead = 0;

// Asked for only when their number has changed: most homes have none.
async function refreshDead(count) {
  document.getElementById("dead-section").hidden = !count;
  if (count === shownDead) return;
  const { dead_letters: letters } = count ? await ask(`api/v1/dead-letters?limit=${SHOWN_DEAD_LETTERS}`) : { dead_letters: [] };
  show("dead", table(["Refused", "Lines", "Why", "Line"], letters.map(deadLetter), "None."));
  shownDead = count;
}

async function refresh() {
  try {
    const status = await ask("api/v1/status");
    render(status);
    await refreshDead(status.lines.dead);
  } catch {
    headline("unhealthy", "The server does not answer");
    show("reasons", element("li", {}, "What stands below is what it said last. See the app's log in Home Assistant."));
  } finally {
    setTimeout(refresh, REFRESH_MS);
  }
}

refresh();
