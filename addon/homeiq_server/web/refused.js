// Messages that were refused and kept: by reason, with what is wrong and what to do, to be replayed or given up.

import { asked, button } from "./actions.js";
import { ago, ask, at, element, empty, show, tell, whole } from "./dom.js";
import { entry, isInUse, renew } from "./lists.js";
import { reasonRemedy, reasonWords } from "./reasons.js";

const PAGE = 20;
const AT_ONCE = 500;
const LIST = "refused";

const messages = (count) => `${whole.format(count)} ${count === 1 ? "message" : "messages"}`;

function outcome({ accepted, rejected, skipped, results }) {
  const reasons = [...new Set(results.filter(({ reason }) => reason).map(({ reason }) => reasonWords(reason)))];
  return [
    `${messages(accepted)} accepted`,
    ...(rejected ? [`${whole.format(rejected)} refused once more: ${reasons.join(", ")}`] : []),
    ...(skipped ? [`${whole.format(skipped)} left out: ${[...new Set(results.filter(({ status }) => status === "skipped").map(({ detail }) => detail))].join(", ")}`] : []),
  ].join("; ") + ".";
}

async function replay(chosen) {
  show("refused-outcome", outcome(await tell("tenant/v1/quarantine/replay", chosen)));
  await refreshRefused();
}

async function discard(chosen) {
  const { discarded } = await tell("tenant/v1/quarantine/discard", chosen);
  show("refused-outcome", `${messages(discarded)} given up.`);
  await refreshRefused();
}

function message(kept) {
  const payload = kept.payload_encoding === "base64" ? `in base64: ${kept.payload}` : kept.payload;
  const whose = kept.device_id ?? "unknown device";
  return element("article", { class: "finding", "data-key": `message-${kept.id}` },
    element("h3", {}, whose),
    element("p", {}, kept.detail),
    element("p", { class: "law" }, [`by ${kept.transport.toUpperCase()}`, at(kept.received_at), ...(kept.attempts ? [`replayed ${kept.attempts} times`] : [])].join(" · ")),
    element("p", { class: "law" }, element("code", {}, kept.topic)),
    element("pre", { tabindex: "0", "aria-label": `What ${whose} sent` }, element("code", {}, payload + (kept.payload_complete ? "" : " …"))),
    element("p", { class: "actions" },
      ...(kept.replayable ? [button("Replay", () => replay({ ids: [kept.id] }))] : []),
      asked("Give up", "This message is given up for good.", () => discard({ ids: [kept.id] }))));
}

// The messages of a reason are asked for when somebody wants to see them.
async function unfold(place, reason, cursor = null) {
  const { quarantine, next_cursor: following } = await ask("tenant/v1/quarantine", { reason, limit: PAGE, cursor });
  const rows = quarantine.map(message);
  if (following) {
    const more = button("Show more", async () => {
      await unfold(place, reason, following);
      more.remove();
    });
    rows.push(more);
  }
  if (cursor) place.append(...rows);
  else place.replaceChildren(...rows);
}

function group({ reason, messages: count, devices, newest_at: newest }) {
  const place = element("div", {});
  const which = count > AT_ONCE ? `the oldest ${AT_ONCE}` : count === 1 ? "it" : `all ${whole.format(count)}`;
  const made = entry(reason, [
    element("span", { class: "title" }, reasonWords(reason)),
    element("span", { class: "law" }, ` ${messages(count)}${devices ? ` of ${whole.format(devices)} ${devices === 1 ? "device" : "devices"}` : ""}, the newest ${ago(newest)}`),
  ], element("p", {}, reasonRemedy(reason)),
  element("p", { class: "actions" },
    button(`Replay ${which}`, () => replay({ reason, limit: AT_ONCE })),
    asked(`Give up ${which}`, `${messages(Math.min(count, AT_ONCE))} will be given up for good.`, () => discard({ reason, limit: AT_ONCE }))), place);
  made.addEventListener("toggle", async () => {
    if (!made.open || place.childElementCount) return;
    try {
      await unfold(place, reason);
    } catch (err) {
      place.replaceChildren(element("p", { class: "bad", role: "alert" }, `The messages cannot be shown: ${err.message}`));
    }
  });
  return made;
}

export async function refreshRefused({ gently = false } = {}) {
  if (gently && isInUse(LIST)) return;
  const { reasons } = await ask("tenant/v1/quarantine/summary");
  renew(LIST, ...(reasons.length ? reasons.map(group) : [empty("None: whatever was refused has been dealt with, or nothing was.")]));
}
