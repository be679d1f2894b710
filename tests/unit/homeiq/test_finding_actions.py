"""The actions on devices and findings, as a person calls them."""

import time
from datetime import timedelta
from typing import Any

import pytest
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from custom_components.homeiq.const import DOMAIN
from custom_components.homeiq.time_us import time_us
from tests.unit.homeiq.entries import Entry, other_entry
from tests.unit.homeiq.fake_app import FakeApp
from tests.unit.homeiq.fake_store import device, finding
from tests.unit.homeiq.test_registry_sync import add_device

DAY_US = 86_400_000_000

pytestmark = pytest.mark.usefixtures("known")


async def ask(hass: HomeAssistant, action: str, **fields: Any) -> Any:  # noqa: ANN401 - any JSON
    return await hass.services.async_call(DOMAIN, action, fields, blocking=True, return_response=True)


async def test_a_finding_is_muted_for_ever_unless_it_is_said_for_how_long(hass: HomeAssistant, app: FakeApp) -> None:
    app.store.put(finding("f1"))

    assert await ask(hass, "mute_finding", finding_id="f1") == {"findings": ["f1"]}
    assert app.store.told == [("f1", "mute", {"until_us": None})]


@pytest.mark.parametrize("span", [{"duration": {"days": 2}}, {"until": 2}])
async def test_a_finding_is_muted_for_a_while(hass: HomeAssistant, app: FakeApp, span: dict[str, Any]) -> None:
    app.store.put(finding("f1"))
    if "until" in span:
        span = {"until": dt_util.now() + timedelta(days=2)}
    await ask(hass, "mute_finding", finding_id="f1", **span)

    ((_, _, body),) = app.store.told
    assert abs(body["until_us"] - time_us(time.time()) - 2 * DAY_US) < 60_000_000


async def test_a_device_and_a_type_name_findings_too(hass: HomeAssistant, app: FakeApp) -> None:
    for one in (
        finding("f1"),
        finding("f2", "silent"),
        finding("f3", device_id="d2"),
        finding("f4", state="resolved"),
        finding("f5", muted=True),
    ):
        app.store.put(one)
    report = await ask(hass, "mute_finding", device_id="d1", finding_type="battery", unmute=True)

    assert sorted(report["findings"]) == ["f1", "f5"]
    assert {(one, what) for one, what, _ in app.store.told} == {("f1", "unmute"), ("f5", "unmute")}


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({}, "no_finding_named"),
        ({"device_id": "d1"}, "no_finding_named"),
        ({"device_id": "d1", "finding_type": "silent"}, "no_such_finding"),
        ({"finding_id": "f1", "until": "2036-01-01", "duration": "01:00:00"}, "until_or_duration"),
        ({"finding_id": "f1", "until": "2016-01-01 00:00:00"}, "until_is_past"),
    ],
)
async def test_what_cannot_be_meant_is_refused(
    hass: HomeAssistant, app: FakeApp, fields: dict[str, Any], key: str
) -> None:
    app.store.put(finding("f1"))

    with pytest.raises(ServiceValidationError) as caught:
        await ask(hass, "mute_finding", **fields)
    assert caught.value.translation_key == key
    assert app.store.told == []


@pytest.mark.parametrize(
    ("state", "key"),
    [("ok", "not_found"), ("off", "not_found"), ("unreachable", "app_busy"), ("away", "cannot_connect")],
)
async def test_what_the_app_cannot_do_is_told_in_the_users_words(
    hass: HomeAssistant, app: FakeApp, state: str, key: str
) -> None:
    app.store.state = state
    if state == "away":
        await app.stop()

    with pytest.raises(HomeAssistantError) as caught:
        await ask(hass, "mute_finding", finding_id="nobody")
    assert caught.value.translation_key == key
    assert (caught.value.translation_placeholders or {})["reason"]


async def test_an_id_is_no_path(hass: HomeAssistant) -> None:
    with pytest.raises(Exception, match="finding_id"):
        await ask(hass, "mute_finding", finding_id="../../gaps")


async def test_a_report_has_everything_that_the_app_knows(hass: HomeAssistant, app: FakeApp) -> None:
    door = add_device(hass, other_entry(hass))
    app.store.devices[door.id] = device(door.id)
    report = await ask(hass, "device_report", device_id=door.id)

    assert report["id"] == door.id
    assert report["entities"] == []


async def test_a_report_on_nothing_is_refused(hass: HomeAssistant) -> None:
    with pytest.raises(ServiceValidationError) as caught:
        await ask(hass, "device_report", device_id="nobody")
    assert caught.value.translation_key == "unknown_device"

    with pytest.raises(HomeAssistantError) as missing:
        await ask(hass, "device_report", device_id=add_device(hass, other_entry(hass)).id)
    assert missing.value.translation_key == "not_found"


@pytest.mark.parametrize("action", ["mute_finding", "device_report"])
async def test_the_actions_are_for_administrators(
    hass: HomeAssistant,
    hass_read_only_user: Any,  # noqa: ANN401 - of the harness
    action: str,
) -> None:
    context = Context(user_id=hass_read_only_user.id)
    with pytest.raises(Unauthorized):
        await hass.services.async_call(
            DOMAIN, action, {"device_id": "d1"}, blocking=True, context=context, return_response=True
        )


async def test_an_entry_that_is_not_loaded_is_said_so(hass: HomeAssistant, known: Entry) -> None:
    await hass.config_entries.async_unload(known.entry_id)
    assert await async_setup_component(hass, DOMAIN, {})

    with pytest.raises(ServiceValidationError):
        await ask(hass, "mute_finding", finding_id="f1")
