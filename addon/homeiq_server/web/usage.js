// What came hour by hour, and how much of it was refused for what.

import { ask, element, empty, show, table, whole } from "./dom.js";
import { counts } from "./plot.js";
import { reasonWords } from "./reasons.js";

const HOUR_MS = 3600000;
const choice = document.getElementById("usage-hours");

choice.addEventListener("change", () => refreshUsage());

export async function refreshUsage() {
  const from = new Date(Date.now() - (Number(choice.value) - 1) * HOUR_MS);
  const { total, usage, from: since } = await ask("tenant/v1/usage", { from: from.toISOString() });
  const hours = usage.map(({ at, usage: of }) => ({ start: Date.parse(at), good: of.accepted, bad: of.refused }));
  const reasons = Object.entries(total.outcomes).filter(([outcome]) => outcome !== "ACCEPTED").sort(([, one], [, other]) => other.messages - one.messages);
  show("usage", ...(total.messages ? [
    counts("Messages an hour", Date.parse(since), Number(choice.value), hours),
    element("p", { class: "law" }, element("span", { class: "mark good" }), `${whole.format(total.accepted)} accepted, with ${whole.format(total.metrics)} values`,
      element("span", { class: "mark bad" }), `${whole.format(total.refused)} refused`),
    ...(reasons.length ? [table(["Refused because", "Messages"], reasons.map(([reason, of]) => [reasonWords(reason), whole.format(of.messages)]), "")] : []),
  ] : [empty("Nothing came in this time.")]));
}
