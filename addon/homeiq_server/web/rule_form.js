// Makes a rule: one form, of which only the part is shown that belongs to its kind.

import { onSubmit } from "./actions.js";
import { FINDINGS } from "./alert_words.js";
import { element, tell } from "./dom.js";
import { refreshRules } from "./rules.js";
import { metricNames, newestStates } from "./states.js";

const form = document.getElementById("rule-form");
const kind = form.elements.kind;
const UNITS = { minutes: 60, hours: 3600, days: 86400 };

function showKind() {
  for (const part of form.querySelectorAll("fieldset[data-kinds]")) {
    part.hidden = !part.dataset.kinds.split(" ").includes(kind.value);
    part.disabled = part.hidden; // so that nothing of it is asked for, or sent
  }
}

const list = (text) => (text ?? "").split(",").map((one) => one.trim()).filter(Boolean);

function ruleOf(given) {
  const rule = { name: given.get("name").trim(), kind: given.get("kind"), severity: Number(given.get("severity")) };
  if (rule.kind === "THRESHOLD") {
    Object.assign(rule, { metric: given.get("metric").trim(), operator: given.get("operator"), threshold: Number(given.get("threshold")) });
    if (given.get("hysteresis")) rule.hysteresis = Number(given.get("hysteresis"));
    if (given.get("minutes")) rule.duration_s = Math.round(Number(given.get("minutes")) * 60);
  }
  if (given.get("silence")) rule.silence_s = Math.round(Number(given.get("silence")) * UNITS[given.get("unit")]);
  if (given.getAll("finding").length) rule.finding_kinds = given.getAll("finding");
  if (list(given.get("devices")).length) rule.device_ids = list(given.get("devices"));
  if (list(given.get("sites")).length) rule.site_ids = list(given.get("sites"));
  return rule;
}

kind.addEventListener("change", showKind);
form.addEventListener("reset", () => setTimeout(showKind));
onSubmit(form, async (given) => {
  await tell("tenant/v1/alert-rules", ruleOf(given));
  form.reset();
  await refreshRules();
});

document.getElementById("rule-findings").append(...FINDINGS.map((one) =>
  element("label", { class: "choice" }, element("input", { type: "checkbox", name: "finding", value: one }), one.replaceAll("_", " "))));
showKind();

// The names that devices use, to choose from: a rule for a name that nobody sends is never broken.
export async function offerMetrics() {
  await newestStates();
  document.getElementById("metric-names").replaceChildren(...metricNames().map((name) => element("option", { value: name })));
}
