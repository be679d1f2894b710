// The first page: how many devices, how many of them are not well, and what needs a look.

import { ask, day, element, empty, figures, show, table, value, whole } from "./dom.js";
import { showFindings } from "./findings.js";

const filter = document.getElementById("findings-filter");
filter.addEventListener("change", () => refreshHealth());

function battery({ device_id: id, name, area, level, expected, earliest, latest }) {
  const link = element("a", { href: `#device/${encodeURIComponent(id)}` }, name);
  return [link, area ?? "–", `${value.format(level)} %`, day(expected), `${day(earliest)} to ${day(latest)}`];
}

export async function refreshHealth() {
  const insights = await ask("api/v1/insights");
  show("health-figures", ...figures([
    ["in all", whole.format(insights.devices_total)],
    ["not well", whole.format(insights.devices_unhealthy)],
    ["held up by others", whole.format(insights.devices_affected)],
    ["still being learnt", whole.format(insights.devices_learning)],
  ]));
  show("batteries", insights.batteries.length
    ? table(["Device", "Area", "Level", "Empty around", "Likely between"], insights.batteries.map(battery), "")
    : empty("None in the next 45 days, as far as can be told."));
  await showFindings(filter.elements.state.value);
}
