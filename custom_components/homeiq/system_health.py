"""HomeIQ on the page System information."""

from typing import Any

from homeassistant.components.system_health import SystemHealthRegistration, async_check_can_reach_url
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant, callback
from yarl import URL

from .const import DOMAIN
from .coordinator import HomeIQConfigEntry


@callback
def async_register(_hass: HomeAssistant, register: SystemHealthRegistration) -> None:
    """Tell Home Assistant whom to ask."""
    register.async_register_info(_async_info)


async def _async_info(hass: HomeAssistant) -> dict[str, Any]:
    """Return the figures of the first loaded entry; most homes have one."""
    entries: list[HomeIQConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    if not entries:
        return {}
    status, buffer = entries[0].runtime_data.coordinator.last_status, entries[0].runtime_data.forwarder.buffer
    return {
        "can_reach_app": async_check_can_reach_url(hass, str(URL(entries[0].data[CONF_URL]) / "api/v1/info")),
        "app_version": "unknown" if status is None else status.version,
        "events_waiting": len(buffer),
        "events_lost": buffer.lost,
    }
