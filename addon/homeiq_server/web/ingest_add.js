// Adds a device, and shows its token once.

import { onSubmit } from "./actions.js";
import { showToken } from "./device_token.js";
import { tell } from "./dom.js";
import { refreshIngestDevices } from "./ingest_devices.js";

const form = document.getElementById("ingest-add");

onSubmit(form, async (given) => {
  const body = { device_id: given.get("device_id").trim(), token: true };
  for (const name of ["name", "site_id"]) if (given.get(name).trim()) body[name] = given.get(name).trim();
  if (given.get("heartbeat_s")) body.heartbeat_s = Number(given.get("heartbeat_s"));
  const { device, token } = await tell("tenant/v1/devices", body);
  form.reset();
  showToken(device.device_id, token);
  await refreshIngestDevices();
});
