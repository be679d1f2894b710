// The newest that devices said: asked for as a whole once, and then only as far as it changed.

import { ask } from "./dom.js";

const PAGE = 500;
const MOST_PAGES = 20;
const MISSED = 3; // heartbeats, as the server has it

const states = new Map();
let cursor = null;

export async function newestStates() {
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { devices, cursor: following } = await ask("tenant/v1/device-states", { after: cursor, limit: PAGE });
    for (const device of devices) states.set(device.device_id, device);
    cursor = following;
    if (devices.length < PAGE) break;
  }
  return states;
}

// How many devices were heard lately; null before anybody has asked.
export const heardWithin = (ms) => (cursor === null ? null : [...states.values()].filter(({ last_seen_at: seen }) => seen && Date.now() - Date.parse(seen) < ms).length);
export const metricNames = () => [...new Set([...states.values()].flatMap(({ metrics }) => Object.keys(metrics)))].sort();

// Whether a device is there, as far as it has promised to say so; null when it has not.
export function isThere({ heartbeat_s: beat, last_seen_at: seen }) {
  if (!beat) return null;
  return seen !== null && Date.now() - Date.parse(seen) < MISSED * beat * 1000;
}
