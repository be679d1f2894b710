// Devices that send by MQTT and HTTP: how it goes, and the parts of the view that ask for more.

import { ago, at, element, figures, pairs, show, whole } from "./dom.js";
import { knowBroker } from "./examples.js";
import "./ingest_add.js";
import { refreshIngestDevices } from "./ingest_devices.js";
import { refreshRegistration } from "./registration.js";
import { refreshRefused } from "./refused.js";
import { heardWithin } from "./states.js";
import { refreshUsage } from "./usage.js";

const BROKER_STATES = {
  off: "none is known",
  connecting: "is being looked for",
  connected: "connected",
  refused: "refuses us",
};
const REMEDIES = {
  off: "Install the app Mosquitto broker in Home Assistant, or name another broker as mqtt_url in the options of this app. Without a broker, devices can send by HTTP.",
  connecting: "Check that the broker runs, and that mqtt_url is right. It is tried again all the time.",
  refused: "Correct mqtt_username and mqtt_password in the app's options, or what the broker allows them.",
};

const HOUR_MS = 3600000;

export function showIngest({ mqtt, refused, ...told }) {
  const heard = heardWithin(HOUR_MS);
  knowBroker(mqtt.broker);
  const lost = Object.values(refused).reduce((sum, count) => sum + count, 0);
  show("ingest-figures", ...figures([
    ["messages a minute", whole.format(told.messages_per_minute)],
    ["accepted since the start", whole.format(told.accepted)],
    ["refused since the start", whole.format(lost)],
    ["devices that sent in the last hour", heard === null ? "–" : whole.format(heard)],
    ["newest values that wait", whole.format(told.following)],
  ]));
  const known = [
    ["State", BROKER_STATES[mqtt.state] ?? mqtt.state],
    ["Address", mqtt.broker && element("code", {}, mqtt.broker)],
    ["Protocol", mqtt.protocol && `MQTT ${mqtt.protocol}`],
    ["Connected since", mqtt.connected_since && at(mqtt.connected_since)],
    ["Says", mqtt.error],
    ["Messages came", whole.format(mqtt.received)],
    ["Catching up", mqtt.catching_up && "what waited at the broker comes now"],
    ["Ignored", mqtt.retained && `${whole.format(mqtt.retained)} that the broker had only retained`],
    ["Being stored", mqtt.held && whole.format(mqtt.held)],
    ["Alerts on their way", mqtt.publishing && whole.format(mqtt.publishing)],
    ["Asked for again", mqtt.forced_reconnects && `${whole.format(mqtt.forced_reconnects)} times, because nothing could be stored`],
    ["Last message", told.last_message_at ? ago(told.last_message_at) : "none yet"],
  ];
  show("ingest-broker", ...pairs(known.filter(([, text]) => text)));
  show("ingest-remedy", REMEDIES[mqtt.state] ?? "");
}

export async function refreshIngest() {
  await Promise.all([refreshIngestDevices({ gently: true }), refreshRefused({ gently: true }), refreshUsage()]);
}

export async function openIngest() {
  await Promise.all([refreshIngestDevices(), refreshRegistration(), refreshRefused(), refreshUsage()]);
}
