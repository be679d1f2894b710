// Shows what api/v1/status answers, every two seconds. Text is only ever set as text, never as markup.

const REFRESH_MS = 2000;
const TIMEOUT_MS = 5000;
const HEADLINES = {
  ok: "All is well",
  degraded: "Events are kept, but something needs a look",
  unhealthy: "Events are not accepted at the moment",
};
const GAP_REASONS = {
  restart: "not connected",
  overflow: "buffer full",
  hole: "lost here",
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
  const names = Object.keys(channels);
  if (!names.length) {
    return [element("p", { class: "empty" }, "Nothing has come yet. Set up the HomeIQ integration in Home Assistant.")];
  }
  return names.flatMap((name) => {
    const channel = channels[name];
    return law(names.length > 1 ? `received (${name})` : "received", channel.received, [
      { name: "converted", count: channel.converted, look: "good" },
      { name: "skipped", count: channel.skipped, look: "idle", reasons: channel.skipped_by_reason },
      { name: "duplicate", count: channel.duplicate, look: "wait" },
      { name: "rejected", count: channel.rejected, look: "bad", reasons: channel.rejected_by_reason },
    ]);
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

function table(headings, rows, empty) {
  if (!rows.length) return element("p", { class: "empty" }, empty);
  const cells = (tag, texts) => element("tr", {}, ...texts.map((text) => element(tag, {}, text)));
  return element("table", {}, element("thead", {}, cells("th", headings)), element("tbody", {}, ...rows.map((texts) => cells("td", texts))));
}

function render(status) {
  const { database, spool, latency, rates, gaps } = status;
  headline(status.status, HEADLINES[status.status]);
  show("reasons", ...status.reasons.map((reason) => element("li", {}, reason.message)));
  show("rates", ...[
    ["events a minute", whole.format(rates.events_per_minute)],
    ["lines written a minute", whole.format(rates.lines_written_per_minute)],
    ["accepted to database, p99", duration(latency.accepted_to_written_p99_s)],
    ["queue on disk", `${size(spool.bytes)} of ${size(spool.limit_bytes)}`],
  ].map((pair) => element("div", {}, ...pairs([pair]))));
  show("database", ...pairs([
    ["State", DATABASE_STATES[database.state] ?? database.state],
    ["Product", [database.product, database.version, database.embedded ? "(embedded)" : ""].filter(Boolean).join(" ") || "–"],
    ...(database.error ? [["Says", database.error]] : []),
    ...(database.retry_in_s == null ? [] : [["Next try", `in ${duration(database.retry_in_s)}`]]),
    ["Last write", ago(database.last_write_at)],
    ["Newest point", ago(database.newest_point_at)],
    ["Sent, not yet safe", `${whole.format(database.settling)} lines`],
    ...Object.entries(status.history.left_out).map(([what, count]) => ["Cannot hold", `${whole.format(count)} ${what}`]),
  ]));
  show("intake", ...intake(status.intake));
  show("lines", ...lines(status.lines));
  show("gaps", table(["From", "To", "Events", "Why"],
    gaps.newest.map((gap) => [at(gap.start), at(gap.end), gap.events == null ? "not counted" : whole.format(gap.events), GAP_REASONS[gap.reason] ?? gap.reason]),
    "None: nothing is known to be missing."));
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

async function refresh() {
  try {
    const answer = await fetch("api/v1/status", { signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store" });
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
    render(await answer.json());
  } catch {
    headline("unhealthy", "The server does not answer");
    show("reasons", element("li", {}, "What stands below is what it said last. See the app's log in Home Assistant."));
  } finally {
    setTimeout(refresh, REFRESH_MS);
  }
}

refresh();
