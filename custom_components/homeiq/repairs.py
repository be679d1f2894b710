"""What a person can do about a finding from its repair issue."""

from collections.abc import Awaitable
from typing import Any, Final

from homeassistant.components.repairs.models import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .coordinator import HomeIQ, HomeIQConfigEntry
from .errors import AppError, NotFound
from .time_us import time_us

MENU: Final = ["acknowledge", "mute_month", "mute_forever"]
MONTH_US: Final = 30 * 86_400_000_000

type Data = dict[str, str | int | float | None] | None


async def async_create_fix_flow(_hass: HomeAssistant, _issue_id: str, data: Data) -> RepairsFlow:
    """Return the flow of a finding; only these issues are fixable here."""
    return FindingRepairFlow(data or {})


class FindingRepairFlow(RepairsFlow):
    """Acknowledge: somebody knows, and the finding stays until its cause goes. Mute: nobody wants to know."""

    def __init__(self, finding: dict[str, str | int | float | None]) -> None:
        self._entry_id = str(finding.get("entry_id"))
        self._finding_id = str(finding.get("finding_id"))

    async def async_step_init(self, _: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Offer what can be done."""
        issue = ir.async_get(self.hass).async_get_issue(DOMAIN, self.issue_id)
        placeholders = issue.translation_placeholders if issue is not None else None
        return self.async_show_menu(menu_options=MENU, description_placeholders=placeholders)

    async def async_step_acknowledge(self, _: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Acknowledge the finding."""
        if (homeiq := self._homeiq()) is None:
            return self.async_abort(reason="not_loaded")
        return await self._done(homeiq, homeiq.insights.client.acknowledge(self._finding_id))

    async def async_step_mute_month(self, _: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Mute the finding for 30 days."""
        return await self._mute(time_us(dt_util.utcnow().timestamp()) + MONTH_US)

    async def async_step_mute_forever(self, _: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Mute the finding for ever."""
        return await self._mute(None)

    async def _mute(self, until_us: int | None) -> RepairsFlowResult:
        if (homeiq := self._homeiq()) is None:
            return self.async_abort(reason="not_loaded")
        return await self._done(homeiq, homeiq.insights.client.mute(self._finding_id, until_us))

    async def _done(self, homeiq: HomeIQ, request: Awaitable[None]) -> RepairsFlowResult:
        """End the flow, and with it the issue, if the app agrees; a finding that it has no more needs nothing."""
        try:
            await request
        except NotFound:
            pass
        except AppError as err:
            return self.async_abort(reason="failed", description_placeholders={"reason": str(err)})
        await homeiq.insights.async_request_refresh()
        return self.async_create_entry(data={})

    def _homeiq(self) -> HomeIQ | None:
        """Return the loaded HomeIQ that the issue is of."""
        entry: HomeIQConfigEntry | None = self.hass.config_entries.async_get_entry(self._entry_id)
        return entry.runtime_data if entry is not None and entry.state is ConfigEntryState.LOADED else None
