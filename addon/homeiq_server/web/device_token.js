// The token of one device, shown once with what it has to send.

import { examples } from "./examples.js";
import { showSecret } from "./secret.js";

export function showToken(deviceId, token) {
  showSecret("ingest-secret", `The token of ${deviceId}`, "token", token, examples(deviceId, token));
}
