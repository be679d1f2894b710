"""Sets up what is measured through its real config flow, and switches it on and off."""

from typing import TYPE_CHECKING, Any

from homeassistant.config_entries import SOURCE_IMPORT, SOURCE_USER, ConfigEntryDisabler
from homeassistant.data_entry_flow import FlowResultType

if TYPE_CHECKING:
    from homeassistant.core import HomeAssistant


async def add_homeiq(hass: HomeAssistant, url: str, token: str) -> str:
    """Set HomeIQ up as a user would, and return the entry's id."""
    flow = hass.config_entries.flow
    step = await flow.async_init("homeiq", context={"source": SOURCE_USER})
    if step["type"] is FlowResultType.MENU:
        step = await flow.async_configure(step["flow_id"], {"next_step_id": "manual"})
    done = await flow.async_configure(step["flow_id"], {"url": url, "token": token})
    return _entry_id(done)


async def add_influxdb(hass: HomeAssistant, port: int, *, api_version: str = "2") -> str:
    """Set core's own influxdb integration up with its defaults, and return the entry's id."""
    where = {"host": "127.0.0.1", "port": port, "ssl": False, "verify_ssl": True}
    as_whom = {
        "1": {"database": "home_assistant"},
        "2": {"token": "bench", "organization": "bench", "bucket": "bench"},
    }
    config = {"api_version": api_version, **where, **as_whom[api_version]}
    done = await hass.config_entries.flow.async_init("influxdb", context={"source": SOURCE_IMPORT}, data=config)
    return _entry_id(done)


async def switch(hass: HomeAssistant, entry_id: str, *, on: bool) -> None:
    """Load the entry, or unload it."""
    await hass.config_entries.async_set_disabled_by(entry_id, None if on else ConfigEntryDisabler.USER)
    await hass.async_block_till_done()


def _entry_id(done: Any) -> str:  # noqa: ANN401  # the flow's result, of which only one key matters
    if done["type"] is not FlowResultType.CREATE_ENTRY:
        raise RuntimeError(f"the flow did not end with an entry: {done}")
    return str(done["result"].entry_id)
