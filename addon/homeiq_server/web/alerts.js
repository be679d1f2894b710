// The view of alerts: what is open and was, what is watched, where alerts go, and what could not be told.

import { refreshAlertLists } from "./alert_lists.js";
import "./destination_form.js";
import { refreshDestinations } from "./destinations.js";
import { refreshFailed } from "./failed_deliveries.js";
import { offerMetrics } from "./rule_form.js";
import { refreshRules } from "./rules.js";

const LISTS = [refreshAlertLists, refreshRules, refreshDestinations, refreshFailed];

export async function refreshAlerts() {
  await Promise.all(LISTS.map((refresh) => refresh({ gently: true })));
}

export async function openAlerts() {
  await Promise.all([...LISTS.map((refresh) => refresh()), offerMetrics()]);
}
