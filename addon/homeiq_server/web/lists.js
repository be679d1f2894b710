// Lists that are drawn anew while somebody works in them: what is unfolded stays so, and the focus stays at its entry.

import { element } from "./dom.js";

export function entry(key, heading, ...children) {
  return element("details", { class: "entry", "data-key": key }, element("summary", {}, ...heading), ...children);
}

export function renew(id, ...children) {
  const list = document.getElementById(id);
  const open = new Set([...list.querySelectorAll("details[open][data-key]")].map((one) => one.dataset.key));
  const held = list.contains(document.activeElement) ? document.activeElement.closest("[data-key]")?.dataset.key : null;
  list.replaceChildren(...children);
  for (const one of list.querySelectorAll("[data-key]")) {
    if (open.has(one.dataset.key)) one.open = true;
    if (one.dataset.key === held) one.querySelector("summary, button")?.focus({ preventScroll: true });
  }
}

// Whether a list had better be left alone, because somebody reads or types in it.
export function isInUse(id) {
  const list = document.getElementById(id);
  return list.contains(document.activeElement) || list.querySelector("details[open]") !== null;
}
