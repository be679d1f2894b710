// What is watched: the rules that alerts are made of.

import { asked, button } from "./actions.js";
import { refreshAlertLists } from "./alert_lists.js";
import { KINDS, OPERATORS } from "./alert_words.js";
import { ask, duration, element, empty, mark, pairs, tell, value } from "./dom.js";
import { entry, isInUse, renew } from "./lists.js";
import { LOOKS, SEVERITIES } from "./severity.js";

const LIST = "rules";
const MOST = 500;

function condition(rule) {
  if (rule.kind === "THRESHOLD") return `${rule.metric} ${OPERATORS[rule.operator]} ${value.format(rule.threshold)}`;
  if (rule.kind === "INSIGHT") return rule.finding_kinds ? rule.finding_kinds.map((kind) => kind.replaceAll("_", " ")).join(", ") : "any finding";
  return `${KINDS[rule.kind]} for ${duration(rule.silence_s)}`;
}

function facts(rule) {
  return [
    ["Watches", KINDS[rule.kind]],
    ["When", condition(rule)],
    ["For at least", rule.duration_s && duration(rule.duration_s)],
    ["Over when back by", rule.hysteresis && value.format(rule.hysteresis)],
    ["Devices", rule.device_ids ? rule.device_ids.join(", ") : "any"],
    ["Sites", rule.site_ids && rule.site_ids.join(", ")],
    ["Severity", rule.kind === "INSIGHT" ? `${SEVERITIES[rule.severity]}, or more if the finding has more` : SEVERITIES[rule.severity]],
    ["Note", rule.description],
  ].filter(([, text]) => text);
}

function row(rule) {
  const path = `tenant/v1/alert-rules/${rule.id}`;
  const change = async () => {
    await tell(path, { enabled: !rule.enabled }, "PATCH");
    await Promise.all([refreshRules(), refreshAlertLists()]);
  };
  const remove = async () => {
    await tell(path, {}, "DELETE");
    await Promise.all([refreshRules(), refreshAlertLists()]);
  };
  return entry(rule.id, [
    element("span", { class: "title" }, mark(rule.enabled ? LOOKS[rule.severity] : "idle"), rule.name),
    element("span", { class: "law" }, ` ${rule.enabled ? condition(rule) : "switched off"}`),
  ], element("dl", { class: "facts" }, ...pairs(facts(rule))),
  element("p", { class: "actions" },
    rule.enabled ? asked("Switch off", `“${rule.name}” watches nothing any more, and its open alerts are over.`, change) : button("Switch on", change),
    asked("Delete", `“${rule.name}” is deleted, and its open alerts are over.`, remove)));
}

export async function refreshRules({ gently = false } = {}) {
  if (gently && isInUse(LIST)) return;
  const { alert_rules: rules } = await ask("tenant/v1/alert-rules", { limit: MOST });
  renew(LIST, ...(rules.length ? rules.map(row) : [empty("Nothing is watched yet, so there are no alerts. Add a rule below, such as: temperature above 30.")]));
}
