"""The HomeIQ app as the Supervisor tells of it, where there is one."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers.hassio import is_hassio
from homeassistant.helpers.service_info.hassio import HassioServiceInfo

from .const import DOMAIN


async def async_discovered_app(hass: HomeAssistant) -> HassioServiceInfo | None:
    """Return the discovery message of a running HomeIQ app, or None.

    The Supervisor sends a message once; an integration that was installed after the app has missed it, and asks.
    Messages are looked up by service: the app's slug begins with a hash of the repository's URL as the user typed it.
    """
    if not is_hassio(hass):
        return None
    # Only where there is a Supervisor is its client library installed.
    from aiohasupervisor import SupervisorError  # noqa: PLC0415
    from homeassistant.components.hassio import get_supervisor_client  # noqa: PLC0415

    try:
        messages = await get_supervisor_client(hass).discovery.list()
    except SupervisorError:
        return None
    for message in messages:
        if message.service == DOMAIN:
            return HassioServiceInfo(config=message.config, name="HomeIQ", slug=message.addon, uuid=message.uuid.hex)
    return None
