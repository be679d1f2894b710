"""The actions on devices and their findings."""

import re
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Final

import probatio
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_DEVICE_ID
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.service import async_get_config_entry
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .coordinator import HomeIQ, HomeIQConfigEntry
from .errors import AppError, NotFound
from .store_client import StoreClient
from .time_us import time_us

MUTE_FINDING: Final = "mute_finding"
DEVICE_REPORT: Final = "device_report"
ATTR_FINDING: Final = "finding_id"
ATTR_TYPE: Final = "finding_type"
ATTR_UNTIL: Final = "until"
ATTR_DURATION: Final = "duration"
ATTR_UNMUTE: Final = "unmute"

_WORD: Final = probatio.All(cv.string, probatio.Match(re.compile(r"^[\w-]+$")))  # it becomes a part of a URL

MUTE_FINDING_SCHEMA: Final = probatio.Schema(
    {
        probatio.Optional(ATTR_CONFIG_ENTRY_ID): cv.string,
        probatio.Optional(ATTR_FINDING): _WORD,
        probatio.Optional(ATTR_DEVICE_ID): _WORD,
        probatio.Optional(ATTR_TYPE): _WORD,
        probatio.Optional(ATTR_UNTIL): cv.datetime,
        probatio.Optional(ATTR_DURATION): cv.positive_time_period,
        probatio.Optional(ATTR_UNMUTE, default=False): cv.boolean,
    }
)
DEVICE_REPORT_SCHEMA: Final = probatio.Schema(
    {probatio.Optional(ATTR_CONFIG_ENTRY_ID): cv.string, probatio.Required(ATTR_DEVICE_ID): _WORD}
)


async def mute_finding(homeiq: HomeIQ, call: ServiceCall) -> ServiceResponse:
    """Mute findings, or take that back; answer with their ids."""
    client, until_us = homeiq.insights.client, _until_us(call)
    findings = await _named(client, call)
    for finding_id in findings:
        if call.data[ATTR_UNMUTE]:
            await client.unmute(finding_id)
        else:
            await client.mute(finding_id, until_us)
    await homeiq.insights.async_request_refresh()
    return {"findings": [*findings]}


async def device_report(homeiq: HomeIQ, call: ServiceCall) -> ServiceResponse:
    """Return everything that is known of a device."""
    device_id: str = call.data[ATTR_DEVICE_ID]
    if dr.async_get(call.hass).async_get(device_id) is None:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="unknown_device",
            translation_placeholders={"device_id": device_id},
        )
    return await homeiq.insights.client.device(device_id)


def answering(
    action: Callable[[HomeIQ, ServiceCall], Coroutine[Any, Any, ServiceResponse]],
) -> Callable[[ServiceCall], Coroutine[Any, Any, ServiceResponse]]:
    """Return how an action is called: by people, who are told in their language what is wrong."""

    async def answer(call: ServiceCall) -> ServiceResponse:
        entry: HomeIQConfigEntry = async_get_config_entry(call.hass, DOMAIN, call.data.get(ATTR_CONFIG_ENTRY_ID))
        try:
            return await action(entry.runtime_data, call)
        except AppError as err:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="not_found" if isinstance(err, NotFound) else err.key,
                translation_placeholders={"reason": str(err)},
            ) from err

    return answer


async def _named(client: StoreClient, call: ServiceCall) -> list[str]:
    """Return the ids of the findings that are meant."""
    if finding_id := call.data.get(ATTR_FINDING):
        return [finding_id]
    if ATTR_DEVICE_ID not in call.data or ATTR_TYPE not in call.data:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_finding_named")
    findings = await client.findings(state="all", device=call.data[ATTR_DEVICE_ID], kind=call.data[ATTR_TYPE])
    if named := [finding.id for finding in findings if finding.state != "resolved"]:
        return named
    raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_such_finding")


def _until_us(call: ServiceCall) -> int | None:
    """Return until when to mute, None for ever."""
    if ATTR_UNTIL in call.data and ATTR_DURATION in call.data:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="until_or_duration")
    now = dt_util.utcnow()
    until: datetime | None = call.data.get(ATTR_UNTIL)
    if ATTR_DURATION in call.data:
        until = now + call.data[ATTR_DURATION]
    if until is None:
        return None
    if (until := dt_util.as_utc(until)) <= now:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="until_is_past")
    return time_us(until.timestamp())
