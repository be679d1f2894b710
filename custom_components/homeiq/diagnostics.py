"""What a bug report needs, without what it must not tell."""

from collections import Counter
from dataclasses import asdict
from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant

from .coordinator import HomeIQConfigEntry

_REDACTED = {CONF_TOKEN, "password", "token", "authorization"}


async def async_get_config_entry_diagnostics(_hass: HomeAssistant, entry: HomeIQConfigEntry) -> dict[str, Any]:
    """Return the entry, the app's last status, and what became of the events in here."""
    coordinator, forwarder = entry.runtime_data.coordinator, entry.runtime_data.forwarder
    backfill = entry.runtime_data.backfill
    registry, reports = entry.runtime_data.registry, entry.runtime_data.reports
    insights, devices = entry.runtime_data.insights, entry.runtime_data.devices
    newest = insights.newest
    status, buffer = coordinator.last_status, forwarder.buffer
    return {
        "entry": async_redact_data({"data": dict(entry.data), "options": dict(entry.options)}, _REDACTED),
        "app": None if status is None else async_redact_data(dict(status.raw), _REDACTED),
        "app_reachable": coordinator.last_update_success,
        "last_error": None if coordinator.last_update_success else str(coordinator.last_exception),
        "forwarder": {
            "added": buffer.added,
            "waiting": len(buffer),
            "limit": buffer.limit,
            "delivered": buffer.delivered,
            "lost": buffer.lost,
            "refused": buffer.refused,
            "refused_by_entity": dict(buffer.refused_by_entity),
            "faults": forwarder.faults,
        },
        "backfill": {
            "filling": None if backfill.filling is None else asdict(backfill.filling),
            "trouble": backfill.trouble,
            **backfill.counts,
        },
        "registry": {
            "revision": registry.revision,
            "trouble": registry.trouble,
            **registry.counts,
        },
        "reports": {"trouble": reports.trouble, **reports.counts},
        "insights": {
            "reachable": insights.last_update_success,
            "findings_by_type": Counter(one.kind for one in newest.findings) if newest is not None else None,
            "devices": None if newest is None else newest.devices_total,
            "device_entities_of": None if devices is None else len(devices.devices),
        },
        "ingest": entry.runtime_data.ingest.counts,
    }
