// Why a message is refused, in plain words: what is so, and what to do.

const REASONS = {
  PAYLOAD_TOO_LARGE: ["The message is too large", "Send less at once, or raise ingest_payload_bytes in the app's options."],
  BAD_TOPIC_FORMAT: ["The topic is none of a device", "Send to tenant/home/device/<id of the device>/telemetry."],
  UNKNOWN_TENANT: ["The topic names a home that is not here", "Send to tenant/home/…"],
  INVALID_ENCODING: ["The message is no text", "Send JSON in UTF-8."],
  INVALID_JSON: ["The message is no JSON", "Look at its end: it is often cut off by a buffer of the device that is too small."],
  NOT_OBJECT: ["The message is JSON, but no object", "Send {\"metrics\": {…}}."],
  UNSUPPORTED_VERSION: ["The message is in a form that is not known", "Send \"version\": \"1\", or leave it out."],
  TENANT_MISMATCH: ["Topic and message name different homes", "Leave tenant_id out of the message."],
  DEVICE_MISMATCH: ["Topic and message name different devices", "Leave device_id out of the message."],
  TENANT_SUSPENDED: ["Nobody may send at the moment", "Ask who operates this server."],
  TOKEN_MISSING: ["The device shows no token", "Give the device its token: a new one is made under its name above."],
  TOKEN_INVALID: ["The device shows a wrong token", "Give the device its token: a new one is made under its name above."],
  RATE_LIMITED_DEVICE: ["A device sends too often", "Let it send less often, or raise ingest_device_rate in the app's options."],
  RATE_LIMITED_TENANT: ["All devices together send too often", "Raise ingest_tenant_rate in the app's options."],
  UNREGISTERED_DEVICE: ["The device is not known", "Add it above, or switch self-registration on. Then replay the messages."],
  NO_SUBSCRIPTION_CAPACITY: ["There is no place for another device", "Delete devices that are not used any more."],
  SUBSCRIPTION_SUSPENDED: ["Devices may not send at the moment", "Ask who operates this server."],
  SUBSCRIPTION_EXPIRED: ["Devices may not send any more", "Ask who operates this server."],
  DEVICE_PENDING: ["The device was added, but has no token yet", "Let it use its activation code, or make a token for it above."],
  DEVICE_INACTIVE: ["The device is resting", "Take it in again above. Then replay the messages."],
  DEVICE_REVOKED: ["The device is shut out", "Take it in again above, if it is yours."],
  SITE_MISMATCH: ["The message names another site than the device's", "Leave site_id out of the message, or correct the device's."],
  MALFORMED: ["Something in the message is not as it should be", "See the detail of each message."],
  TOO_MANY_METRICS: ["There are too many values in one message", "Send them in several, or raise ingest_metrics in the app's options."],
  METRIC_KEY_INVALID: ["A value has a name that cannot be used", "See the detail of each message."],
  METRIC_VALUE_INVALID: ["A value is no number, switch or short text", "See the detail of each message."],
};

export const reasonWords = (reason) => REASONS[reason]?.[0] ?? reason;
export const reasonRemedy = (reason) => REASONS[reason]?.[1] ?? "See the detail of each message.";
