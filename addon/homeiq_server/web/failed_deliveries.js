// What of alerts could not be told: by the place where it was to go, and what went wrong there.

import { asked, button } from "./actions.js";
import { CHANGES } from "./alert_words.js";
import { ago, ask, at, element, empty, mark, tell, whole } from "./dom.js";
import { entry, isInUse, renew } from "./lists.js";

const LIST = "failed-deliveries";
const SHOWN = 200;

async function act(verb, deliveries) {
  await tell(`tenant/v1/deliveries/${verb}`, { ids: deliveries.map(({ id }) => id) });
  await refreshFailed();
}

const actions = (deliveries, which) => element("p", { class: "actions" },
  button(`Send ${which} again`, () => act("replay", deliveries)),
  asked(which === "it" ? "Give up" : `Give up ${which}`, "It is never told there.", () => act("discard", deliveries)));

function card(delivery) {
  const facts = [`when ${CHANGES[delivery.change] ?? delivery.change}`, at(delivery.created_at),
    delivery.attempts === 1 ? "1 attempt" : `${whole.format(delivery.attempts)} attempts`].join(" · ");
  return element("article", { class: "finding", "data-key": `delivery-${delivery.id}` },
    element("h3", {}, delivery.payload.summary ?? "An alert"),
    element("p", { class: "law" }, facts),
    actions([delivery], "it"));
}

const fault = ({ last_error: error, last_status: status }) => error ?? (status ? `it answered ${status}` : "it was given up");

function group(key, deliveries, places) {
  const place = places.get(deliveries[0].integration_id) ?? "A place that is gone";
  const count = deliveries.length === 1 ? "1 alert" : `${whole.format(deliveries.length)} alerts`;
  return entry(key, [
    element("span", { class: "title" }, mark("bad"), place),
    element("span", { class: "law" }, ` ${count}, the newest ${ago(deliveries[0].created_at)}`),
    element("span", { class: "values" }, fault(deliveries[0])),
  ], ...(deliveries.length > 1 ? [actions(deliveries, `all ${whole.format(deliveries.length)}`)] : []), ...deliveries.map(card));
}

export async function refreshFailed({ gently = false } = {}) {
  if (gently && isInUse(LIST)) return;
  const [{ deliveries, next_cursor: more }, { integrations }] = await Promise.all([
    ask("tenant/v1/deliveries", { state: "DEAD", limit: SHOWN }), ask("tenant/v1/integrations", { limit: SHOWN })]);
  const places = new Map(integrations.map(({ id, name }) => [id, name]));
  const groups = Map.groupBy(deliveries, (one) => `${one.integration_id} ${fault(one)}`);
  renew(LIST, ...(groups.size ? [...groups].map(([key, some]) => group(key, some, places)) : [empty("Nothing: all was told, or is about to be.")]),
    ...(more ? [empty(`The newest ${SHOWN} are shown; there are more.`)] : []));
}
