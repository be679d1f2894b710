// How a device sends, as commands that can be copied: the same two for a device's token and for the provisioning key.

const API_PORT = 8098;
const MESSAGE = { metrics: { temperature: 21.5 } };

let broker = "";

export function knowBroker(address) {
  broker = address;
}

// A name such as core-mosquitto, or our own loopback, means nothing to a device: the broker is where this page is, then.
const isNear = (host) => host.startsWith("127.") || !/[.:]/.test(host);

function mqtt(deviceId, token) {
  const address = URL.canParse(broker) ? new URL(broker) : null;
  const isSafe = address?.protocol === "mqtts:";
  const port = address?.port || (isSafe ? 8883 : 1883);
  const host = !address || isNear(address.hostname) ? location.hostname : address.hostname;
  const message = JSON.stringify({ token, ...MESSAGE });
  return `mosquitto_pub -h ${host} -p ${port}${isSafe ? " --capath /etc/ssl/certs" : ""} -u USER -P PASSWORD -q 1 -t tenant/home/device/${deviceId}/telemetry -m '${message}'`;
}

// Inside Home Assistant the page comes through it, but devices speak to the app itself.
function api() {
  const isInside = location.pathname.includes("/hassio_ingress/");
  return isInside ? `http://${location.hostname}:${API_PORT}/` : new URL("./", location.href).href;
}

function http(deviceId, token) {
  const address = `${api()}ingest/v1/tenant/home/device/${deviceId}/telemetry`;
  return `curl -H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json' -d '${JSON.stringify(MESSAGE)}' ${address}`;
}

export function examples(deviceId, token) {
  return [
    ["MQTT command", "By MQTT, with a user and password of the broker:", mqtt(deviceId, token)],
    ["HTTP command", `By HTTP, for which port ${API_PORT} of the app must be open in its network settings:`, http(deviceId, token)],
  ];
}
