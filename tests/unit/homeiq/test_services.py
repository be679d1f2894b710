"""The actions, as a person calls them."""

from datetime import timedelta
from typing import Any

import pytest
from homeassistant.components.recorder.core import Recorder
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from custom_components.homeiq.const import DOMAIN
from tests.unit.homeiq.changes import NOON
from tests.unit.homeiq.entries import Entry, app_entry, set_up
from tests.unit.homeiq.fake_app import FakeApp, problem
from tests.unit.homeiq.past import HOUR, NOON_US, SECOND, filled, live_through
from tests.unit.homeiq.test_statistics_import import keep
from tests.unit.homeiq.waiting import eventually

pytestmark = pytest.mark.usefixtures("recorder_mock")
ACTIONS = pytest.mark.parametrize("action", ["backfill", "import_statistics"])


async def ask(hass: HomeAssistant, action: str, **fields: Any) -> Any:  # noqa: ANN401 - any JSON
    return await hass.services.async_call(DOMAIN, action, fields, blocking=True, return_response=True)


def clock(seconds: float) -> str:
    return dt_util.as_local(dt_util.utc_from_timestamp(NOON + seconds)).isoformat()


async def test_the_days_before_homeiq_are_brought_in_once(hass: HomeAssistant, app: FakeApp) -> None:
    expected = live_through(hass, 50)
    await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.started)
    report = await ask(hass, "backfill")
    again = await ask(hass, "backfill")

    assert filled(app)[:50] == expected
    assert report["ranges"] == 1
    assert report["read"] >= report["sent"] == report["accepted"] >= 50
    assert report["rejected"] == 0
    assert app.past.covered_since == NOON_US
    assert len(filled(app)) == 50
    assert again["sent"] == again["ranges"] == 0
    assert again["skipped_covered"] >= 50


async def test_only_what_lies_between_start_and_end_is_brought_in(hass: HomeAssistant, app: FakeApp) -> None:
    expected = live_through(hass, 50)
    await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.started)
    report = await ask(hass, "backfill", start=clock(10), end=clock(19))

    assert filled(app) == expected[10:20]
    assert report["accepted"] == 10
    assert (app.past.covered_since or 0) > NOON_US + HOUR  # the hours between then and now are still missing


async def test_gaps_are_filled_and_what_is_covered_is_counted(hass: HomeAssistant, app: FakeApp) -> None:
    app.past.covered_since, app.past.whole = 0, 2**52
    expected = live_through(hass, 50)
    await set_up(hass, app_entry(hass, app))
    await eventually(lambda: app.past.asked)
    await hass.async_block_till_done()
    app.past.gaps.append((NOON_US + 10 * SECOND, NOON_US + 19 * SECOND, None))
    report = await ask(hass, "backfill", start=clock(0), end=clock(60))

    assert filled(app) == expected[10:20]
    assert report == {
        "ranges": 1,
        "read": 10,
        "sent": 10,
        "accepted": 10,
        "rejected": 0,
        "skipped_covered": 40,
    }
    assert app.past.gaps == []


async def test_named_entities_are_brought_in_whatever_the_app_has(hass: HomeAssistant, app: FakeApp) -> None:
    app.past.covered_since, app.past.whole = 0, 2**52
    expected = live_through(hass, 5)
    live_through(hass, 5, entity_id="sensor.other")
    await set_up(hass, app_entry(hass, app))
    report = await ask(hass, "backfill", entities=["sensor.past"])

    assert filled(app) == expected
    assert filled(app, "sensor.other") == []
    assert (report["sent"], app.past.completed) == (5, [])


@pytest.mark.usefixtures("recorder_mock", "entry")  # in this order
async def test_statistics_are_brought_in(hass: HomeAssistant, app: FakeApp) -> None:
    keep(hass, "sensor.a", 3)
    report = await ask(hass, "import_statistics", start=clock(3_600), statistic_ids=["sensor.a"])

    assert report == {"read": 2, "sent": 2, "accepted": 2, "rejected": 0, "statistic_ids": ["sensor.a"]}
    assert [row[1] for row in app.past.statistics] == [NOON_US + HOUR, NOON_US + 2 * HOUR]


@pytest.mark.usefixtures("recorder_mock", "entry")  # in this order
@ACTIONS
async def test_an_action_needs_no_answer(hass: HomeAssistant, action: str) -> None:
    assert await hass.services.async_call(DOMAIN, action, {}, blocking=True) is None


@pytest.mark.usefixtures("recorder_mock", "entry")  # in this order
@ACTIONS
async def test_a_start_that_is_not_before_the_end_is_refused(hass: HomeAssistant, action: str) -> None:
    future = dt_util.utcnow() + timedelta(days=1)
    for span in ({"start": clock(9), "end": clock(9)}, {"start": future, "end": future + timedelta(days=1)}):
        with pytest.raises(ServiceValidationError) as caught:
            await ask(hass, action, **span)
        assert caught.value.translation_key == "start_not_before_end"


async def test_an_entity_that_the_options_leave_out_is_refused_by_name(hass: HomeAssistant, app: FakeApp) -> None:
    await set_up(hass, app_entry(hass, app, options={"exclude": {"domains": ["sensor"]}}))

    with pytest.raises(ServiceValidationError) as caught:
        await ask(hass, "backfill", entities=["light.a", "sensor.past"])
    assert caught.value.translation_placeholders == {"entities": "sensor.past"}


@pytest.mark.usefixtures("recorder_mock", "entry")  # in this order
@ACTIONS
async def test_an_app_that_refuses_is_told_in_the_users_words(hass: HomeAssistant, app: FakeApp, action: str) -> None:
    keep(hass, "sensor.a", 3)
    live_through(hass, 3)
    await eventually(lambda: app.started)
    app.past.refuse = lambda _: problem(401, "another token")

    with pytest.raises(HomeAssistantError) as caught:
        await ask(hass, action)
    assert caught.value.translation_key == "invalid_auth"
    assert caught.value.translation_placeholders == {"reason": "HTTP 401: another token"}


@pytest.mark.usefixtures("recorder_mock", "entry")  # in this order
@ACTIONS
async def test_a_recorder_that_fails_is_told_in_the_users_words(
    hass: HomeAssistant,
    recorder_mock: Recorder,
    app: FakeApp,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
) -> None:
    await eventually(lambda: app.started)

    def broken() -> None:
        raise RuntimeError

    monkeypatch.setattr(recorder_mock, "get_session", broken)
    with pytest.raises(HomeAssistantError) as caught:
        await ask(hass, action)
    assert caught.value.translation_key == "recorder_fault"


async def test_an_action_ends_when_the_entry_is_unloaded(hass: HomeAssistant, entry: Entry, app: FakeApp) -> None:
    live_through(hass, 3)
    await eventually(lambda: app.started)
    app.past.hold.clear()
    action = hass.async_create_task(ask(hass, "backfill", entities=["sensor.past"]))
    await eventually(lambda: app.past.in_flight)
    assert await hass.config_entries.async_unload(entry.entry_id)

    with pytest.raises(HomeAssistantError) as caught:
        await action
    assert caught.value.translation_key == "interrupted"


@pytest.mark.usefixtures("recorder_mock", "entry")  # in this order
async def test_a_caller_that_goes_away_takes_the_action_along(hass: HomeAssistant, app: FakeApp) -> None:
    live_through(hass, 3)
    await eventually(lambda: app.started)
    app.past.hold.clear()
    action = hass.async_create_task(ask(hass, "backfill", entities=["sensor.past"]))
    await eventually(lambda: app.past.in_flight)
    action.cancel()
    app.past.hold.set()
    report = await ask(hass, "backfill", entities=["sensor.past"])  # would wait for ever if the first one went on

    assert report["accepted"] == 3


@pytest.mark.usefixtures("recorder_mock", "entry")  # in this order
async def test_of_two_apps_one_must_be_named(hass: HomeAssistant) -> None:
    other = FakeApp(server_id="another")
    await other.start()
    second = app_entry(hass, other)
    hass.config_entries.async_update_entry(second, unique_id="another")
    await set_up(hass, second)

    with pytest.raises(ServiceValidationError):
        await ask(hass, "backfill")
    assert "sent" in await ask(hass, "backfill", config_entry_id=second.entry_id)
    with pytest.raises(ServiceValidationError):
        await ask(hass, "backfill", config_entry_id="nobody")
    await other.stop()


async def test_the_actions_are_there_before_any_entry_and_say_that_none_is_loaded(hass: HomeAssistant) -> None:
    assert await async_setup_component(hass, DOMAIN, {})

    with pytest.raises(ServiceValidationError):
        await ask(hass, "backfill")


@pytest.mark.usefixtures("recorder_mock", "entry")  # in this order
async def test_the_actions_are_for_administrators(
    hass: HomeAssistant,
    hass_read_only_user: Any,  # noqa: ANN401 - of the harness
) -> None:
    with pytest.raises(Unauthorized):
        await hass.services.async_call(
            DOMAIN, "backfill", {}, blocking=True, context=Context(user_id=hass_read_only_user.id)
        )
