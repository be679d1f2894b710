// Plots in SVG, drawn by hand: a band from the least to the most of each hour, the mean as a line, and steps over time.

import { at, day, element, value } from "./dom.js";

const WIDTH = 1000;
const HEIGHT = 160;
const HOUR_MS = 3600000;
const DAY_MS = 24 * HOUR_MS;

function frame(label, low, high, from, to, ...drawn) {
  const picture = element("svg", { class: "plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label });
  picture.append(element("rect", { class: "ground", width: WIDTH, height: HEIGHT }), ...drawn);
  const named = to - from < 2 * DAY_MS ? at : day;
  const axis = element("div", { class: "axis" }, element("span", {}, named(from)), element("span", {}, `${low} to ${high}`), element("span", {}, named(to)));
  return element("figure", {}, element("figcaption", {}, label), picture, axis);
}

const line = (points) => points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`).join("");

// A gap of more than an hour breaks the line: nothing was measured there.
function runs(hours) {
  const found = [];
  let last = null;
  for (const hour of hours) {
    const start = Date.parse(hour.start);
    if (last === null || start - last > HOUR_MS * 1.5) found.push([]);
    found.at(-1).push({ ...hour, start });
    last = start;
  }
  return found;
}

export function hourly(label, unit, hours) {
  const from = Date.parse(hours[0].start);
  const to = Date.parse(hours.at(-1).start) + HOUR_MS;
  const low = Math.min(...hours.map((hour) => hour.min));
  const high = Math.max(...hours.map((hour) => hour.max));
  const spread = high - low || 1;
  const x = (start) => ((start + HOUR_MS / 2 - from) / (to - from)) * WIDTH;
  const y = (number) => HEIGHT - 8 - ((number - low) / spread) * (HEIGHT - 16);
  const drawn = runs(hours).flatMap((run) => {
    const upper = run.map((hour) => [x(hour.start), y(hour.max)]);
    const lower = run.map((hour) => [x(hour.start), y(hour.min)]).reverse();
    return [
      element("path", { class: "band", d: `${line([...upper, ...lower])}Z` }),
      element("path", { class: "mean", d: line(run.map((hour) => [x(hour.start), y(hour.mean)])) }),
    ];
  });
  const named = (number) => `${value.format(number)}${unit ? ` ${unit}` : ""}`;
  return frame(label, named(low), named(high), from, to, ...drawn);
}

// One bar for each hour: what was good from the ground up, what was bad on top of it.
export function counts(label, from, hours, counted) {
  const most = Math.max(1, ...counted.map(({ good, bad }) => good + bad));
  const wide = WIDTH / hours;
  const drawn = counted.flatMap(({ start, good, bad }) => {
    const left = ((start - from) / HOUR_MS) * wide;
    const tall = (count) => (count / most) * (HEIGHT - 8);
    const bar = (look, count, below) => element("rect", { class: look, x: left + wide * 0.1, width: wide * 0.8, y: HEIGHT - tall(below + count), height: tall(count) },
      element("title", {}, `${at(start)}: ${value.format(good)} accepted, ${value.format(bad)} refused`));
    return [bar("good", good, 0), bar("bad", bad, good)];
  });
  return frame(label, "0", value.format(most), from, from + hours * HOUR_MS, ...drawn);
}

// The score over time, which holds until it changes; where it is null nothing is known, and nothing is drawn.
export function score(history) {
  const known = [...history].reverse().map(({ at: when, score: points }) => ({ when: Date.parse(when), points }));
  const from = known[0].when;
  const to = Math.max(Date.now(), from + HOUR_MS);
  const x = (when) => ((when - from) / (to - from)) * WIDTH;
  const y = (points) => HEIGHT - 8 - (points / 100) * (HEIGHT - 16);
  const drawn = known.flatMap(({ when, points }, index) =>
    points === null ? [] : [element("path", { class: "mean", d: line([[x(when), y(points)], [x(known[index + 1]?.when ?? to), y(points)]]) },
      element("title", {}, `${points} since ${at(when)}`))]);
  return frame("Health", "0", "100", from, to, ...drawn);
}
