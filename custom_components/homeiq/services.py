"""The actions: what is brought in from the recorder on demand, and what is asked and said of devices."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import probatio
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.service import async_get_config_entry, async_register_admin_service
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .coordinator import HomeIQ, HomeIQConfigEntry
from .errors import AppError
from .finding_actions import (
    DEVICE_REPORT,
    DEVICE_REPORT_SCHEMA,
    MUTE_FINDING,
    MUTE_FINDING_SCHEMA,
    answering,
    device_report,
    mute_finding,
)
from .recorder_history import RecorderFault, RecorderHistory, async_recorder_history
from .statistics_import import StatisticsImport
from .supply import Link
from .time_us import time_us

BACKFILL: Final = "backfill"
IMPORT_STATISTICS: Final = "import_statistics"
ATTR_START: Final = "start"
ATTR_END: Final = "end"
ATTR_ENTITIES: Final = "entities"
ATTR_STATISTIC_IDS: Final = "statistic_ids"

_SPAN: Final = {
    probatio.Optional(ATTR_CONFIG_ENTRY_ID): cv.string,
    probatio.Optional(ATTR_START): cv.datetime,
    probatio.Optional(ATTR_END): cv.datetime,
}
BACKFILL_SCHEMA: Final = probatio.Schema({**_SPAN, probatio.Optional(ATTR_ENTITIES): cv.entity_ids})
IMPORT_STATISTICS_SCHEMA: Final = probatio.Schema(
    {**_SPAN, probatio.Optional(ATTR_STATISTIC_IDS): probatio.All(cv.ensure_list, [cv.string])}
)

type Report = dict[str, Any]


@callback
def async_register_actions(hass: HomeAssistant) -> None:
    """Register the actions. They are for administrators: they keep the machine busy, or tell of the whole home."""
    for name, action, schema in (
        (BACKFILL, _backfill, BACKFILL_SCHEMA),
        (IMPORT_STATISTICS, _import_statistics, IMPORT_STATISTICS_SCHEMA),
    ):
        async_register_admin_service(
            hass, DOMAIN, name, _answering(name, action), schema, supports_response=SupportsResponse.OPTIONAL
        )
    async_register_admin_service(
        hass,
        DOMAIN,
        MUTE_FINDING,
        answering(mute_finding),
        MUTE_FINDING_SCHEMA,
        supports_response=SupportsResponse.OPTIONAL,
    )
    async_register_admin_service(
        hass,
        DOMAIN,
        DEVICE_REPORT,
        answering(device_report),
        DEVICE_REPORT_SCHEMA,
        supports_response=SupportsResponse.ONLY,
    )


async def _backfill(homeiq: HomeIQ, _: RecorderHistory, call: ServiceCall) -> Report:
    """Hand over what the app does not have, or all of some entities."""
    start_us, end_us = _span(call)
    if entity_ids := call.data.get(ATTR_ENTITIES):
        _check_forwarded(homeiq.link, entity_ids)
        return asdict(await homeiq.backfill.async_fill_entities(start_us, end_us, entity_ids))
    return asdict(await homeiq.backfill.async_fill(start_us, end_us))


async def _import_statistics(homeiq: HomeIQ, history: RecorderHistory, call: ServiceCall) -> Report:
    """Hand over hourly long-term statistics."""
    report = await StatisticsImport(homeiq.link, history).async_run(*_span(call), call.data.get(ATTR_STATISTIC_IDS))
    return {**asdict(report), "statistic_ids": sorted(report.statistic_ids)}


def _answering(
    name: str, action: Callable[[HomeIQ, RecorderHistory, ServiceCall], Coroutine[Any, Any, Report]]
) -> Callable[[ServiceCall], Coroutine[Any, Any, ServiceResponse]]:
    """Return how an action is called: by people, who are told in their language what is wrong."""

    async def answer(call: ServiceCall) -> ServiceResponse:
        hass, entry_id = call.hass, call.data.get(ATTR_CONFIG_ENTRY_ID)
        entry: HomeIQConfigEntry = async_get_config_entry(hass, DOMAIN, entry_id)
        if (history := async_recorder_history(hass)) is None:
            raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_recorder")
        # In a task of the entry, which ends when the entry is unloaded or Home Assistant stops.
        task = entry.async_create_background_task(hass, action(entry.runtime_data, history, call), f"homeiq {name}")
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
        if task.cancelled():
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="interrupted")
        try:
            return task.result()
        except AppError as err:
            raise _failed(err.key, err) from err
        except RecorderFault as err:
            raise _failed("recorder_fault", err) from err

    return answer


def _failed(key: str, err: Exception) -> HomeAssistantError:
    return HomeAssistantError(
        translation_domain=DOMAIN, translation_key=key, translation_placeholders={"reason": str(err)}
    )


def _span(call: ServiceCall) -> tuple[int, int]:
    """Return what is asked for in microseconds: from the beginning of all to now, unless it is said."""
    now = dt_util.utcnow()
    start: datetime = call.data.get(ATTR_START, dt_util.utc_from_timestamp(0))
    end: datetime = min(dt_util.as_utc(call.data.get(ATTR_END, now)), now)
    start = dt_util.as_utc(start)
    if start >= end:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="start_not_before_end")
    return max(0, time_us(start.timestamp())), time_us(end.timestamp())


def _check_forwarded(link: Link, entity_ids: list[str]) -> None:
    """Refuse entities that the options leave out: nothing would come of them, or more than their owner wants."""
    left_out = [one for one in entity_ids if not link.entity_filter.async_forwards(one)]
    if left_out:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="not_forwarded",
            translation_placeholders={"entities": ", ".join(left_out)},
        )
