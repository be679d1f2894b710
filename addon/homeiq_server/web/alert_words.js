// The words of alerts and of where they go.

export const KINDS = { THRESHOLD: "a value beyond a limit", NO_HEARTBEAT: "no sign of life", NO_TELEMETRY: "no values", INSIGHT: "a finding about a device" };
export const OPERATORS = { GT: "above", GTE: "at or above", LT: "below", LTE: "at or below" };
export const CHANGES = { opened: "it opens", raised: "it gets worse", acknowledged: "somebody has seen it", unacknowledged: "that is taken back", cleared: "it is over" };
export const PLACES = { webhook: "Webhook", mqtt: "MQTT", email: "Email", home_assistant: "Home Assistant" };
export const FINDINGS = ["offline", "silent", "flapping", "stuck", "drift", "impossible", "battery", "link", "commands", "energy", "house_quiet",
  "integration_down", "hub_down", "missing_area", "placeholder_name", "duplicate_name", "missing_integration", "orphan_entity", "update_pending"];
