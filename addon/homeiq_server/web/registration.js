// Whether devices may register themselves, and the key with which they do.

import { asked, button } from "./actions.js";
import { ask, element, tell } from "./dom.js";
import { examples } from "./examples.js";
import { renew } from "./lists.js";
import { showSecret } from "./secret.js";

const PATH = "tenant/v1/tenant";
const KEY = `${PATH}/provisioning-key`;

async function makeKey() {
  const { provisioning_key: key } = await tell(KEY);
  await refreshRegistration();
  showSecret("registration-secret", "The key for all devices", "key", key, examples("my-first-device", key));
}

async function deleteKey() {
  await tell(KEY, {}, "DELETE");
  await refreshRegistration();
}

function choice({ auto_provision: isOn, has_provisioning_key: hasKey }) {
  const box = element("input", { type: "checkbox", id: "auto-provision", ...(isOn ? { checked: "" } : {}), ...(hasKey ? {} : { disabled: "" }) });
  const fault = element("span", { class: "bad", role: "alert" });
  box.addEventListener("change", async () => {
    try {
      await tell(PATH, { auto_provision: box.checked }, "PATCH");
      await refreshRegistration();
    } catch (err) {
      box.checked = !box.checked;
      fault.textContent = `That did not work: ${err.message}`;
    }
  });
  return [element("label", { class: "choice" }, box, "Devices that show the key are taken in by themselves"), fault];
}

function keyActions({ has_provisioning_key: hasKey }) {
  if (!hasKey) return [button("Make a key", makeKey)];
  return [
    asked("Make another key", "The key that there is is dead at once. Devices that have registered with it, and show nothing else, need the new one.", makeKey),
    asked("Delete the key", "No device can register itself any more, and those that show nothing but the key are refused.", deleteKey),
  ];
}

export async function refreshRegistration() {
  const tenant = await ask(PATH);
  const told = tenant.has_provisioning_key
    ? "There is a key. A device shows it in place of a token of its own, and is added with its first message."
    : "Many devices with the same firmware can share one key instead of a token each. Make the key, then switch this on.";
  renew("registration", element("p", { class: "law" }, told), element("p", { "data-key": "choice" }, ...choice(tenant)),
    element("p", { class: "actions", "data-key": "key" }, ...keyActions(tenant)));
}
