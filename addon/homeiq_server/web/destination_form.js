// Adds a place that alerts go to, and the route there in one go.

import { onSubmit } from "./actions.js";
import { tell } from "./dom.js";
import { refreshDestinations, showSigning } from "./destinations.js";

const form = document.getElementById("destination-form");
const kind = form.elements.kind;

function showKind() {
  for (const part of form.querySelectorAll("fieldset[data-kinds]")) {
    part.hidden = !part.dataset.kinds.split(" ").includes(kind.value);
    part.disabled = part.hidden;
  }
}

function configOf(given) {
  switch (given.get("kind")) {
    case "webhook": return { url: given.get("url").trim() };
    case "mqtt": return given.get("topic").trim() ? { topic: given.get("topic").trim() } : {};
    case "email": return { recipients: given.get("recipients").split(",").map((one) => one.trim()).filter(Boolean) };
    default: return {};
  }
}

kind.addEventListener("change", showKind);
form.addEventListener("reset", () => setTimeout(showKind));
onSubmit(form, async (given) => {
  const name = given.get("name").trim();
  const chosen = { severities: given.getAll("severity").map(Number), deliver_on: given.getAll("change") };
  if (!chosen.severities.length || !chosen.deliver_on.length) throw new Error("choose at least one severity, and when to tell");
  const place = await tell("tenant/v1/integrations", { name, kind: given.get("kind"), config: configOf(given) });
  try {
    await tell("tenant/v1/routes", { integration_id: place.id, name, ...chosen });
  } catch (err) {
    await tell(`tenant/v1/integrations/${place.id}`, {}, "DELETE"); // a place without a route would be a puzzle
    throw err;
  }
  form.reset();
  if (place.secret) showSigning(name, place.secret);
  await refreshDestinations();
});
showKind();
