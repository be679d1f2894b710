"""What a bug report needs, without what it must not tell."""

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
    }
