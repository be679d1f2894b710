"""Long-term statistics out of a real recorder."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from aiohttp import web
from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.models import StatisticData, StatisticMeanType, StatisticMetaData
from homeassistant.components.recorder.statistics import async_add_external_statistics, async_import_statistics
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from custom_components.homeiq import statistics_import
from custom_components.homeiq.errors import Busy
from custom_components.homeiq.recorder_history import RecorderHistory
from custom_components.homeiq.recorder_tables import STATISTICS
from custom_components.homeiq.statistics_import import StatisticsImport, StatisticsReport
from tests.unit.homeiq.changes import NOON
from tests.unit.homeiq.entries import Entry, app_entry, set_up
from tests.unit.homeiq.fake_app import FakeApp, problem
from tests.unit.homeiq.past import FOR_EVER, HOUR, NOON_US


def keep(hass: HomeAssistant, statistic_id: str, hours: int, *, unit: str | None = "°C") -> None:
    """Let the recorder have had a statistic for some hours since noon."""
    source = "recorder" if "." in statistic_id else statistic_id.split(":", maxsplit=1)[0]
    metadata = StatisticMetaData(
        mean_type=StatisticMeanType.ARITHMETIC,
        has_sum=True,
        name=None,
        source=source,
        statistic_id=statistic_id,
        unit_class=None,
        unit_of_measurement=unit,
    )
    start = dt_util.utc_from_timestamp(NOON)
    rows = [
        StatisticData(start=start + timedelta(hours=n), mean=n, min=n - 1.5, max=n + 1, sum=2 * n, state=n)
        for n in range(hours)
    ]
    add = async_import_statistics if source == "recorder" else async_add_external_statistics
    add(hass, metadata, rows)


async def imported(
    entry: Entry, recorder: Recorder, statistic_ids: Sequence[str] | None = None, until_us: int = FOR_EVER[1]
) -> StatisticsReport:
    return await StatisticsImport(entry.runtime_data.link, RecorderHistory(recorder)).async_run(
        0, until_us, statistic_ids
    )


async def test_every_hour_arrives_with_its_values_in_the_unit_in_which_it_is_kept(
    hass: HomeAssistant, recorder_mock: Recorder, entry: Entry, app: FakeApp
) -> None:
    keep(hass, "sensor.a", 2)
    keep(hass, "energy:tibber", 1, unit=None)
    hass.states.async_set("sensor.a", "70", {"unit_of_measurement": "°F"})  # how it is shown does not matter
    report = await imported(entry, recorder_mock)

    assert sorted(app.past.statistics) == [
        ["energy:tibber", NOON_US, None, 0.0, -1.5, 1.0, 0.0, 0.0],
        ["sensor.a", NOON_US, "°C", 0.0, -1.5, 1.0, 0.0, 0.0],
        ["sensor.a", NOON_US + HOUR, "°C", 1.0, -0.5, 2.0, 2.0, 1.0],
    ]
    assert (report.read, report.sent, report.accepted, report.rejected) == (3, 3, 3, 0)
    assert report.statistic_ids == {"sensor.a", "energy:tibber"}


async def test_only_the_hours_and_the_statistics_that_are_asked_for_arrive(
    hass: HomeAssistant, recorder_mock: Recorder, entry: Entry, app: FakeApp
) -> None:
    keep(hass, "sensor.a", 5)
    keep(hass, "sensor.b", 5)
    await imported(entry, recorder_mock, ["sensor.b"], NOON_US + 2 * HOUR)

    assert [row[:2] for row in app.past.statistics] == [["sensor.b", NOON_US + n * HOUR] for n in range(3)]


async def test_statistics_of_entities_that_are_not_forwarded_stay_where_they_are(
    hass: HomeAssistant, recorder_mock: Recorder, app: FakeApp
) -> None:
    entry = await set_up(hass, app_entry(hass, app, options={"exclude": {"entities": ["sensor.a"]}}))
    keep(hass, "sensor.a", 2)
    keep(hass, "sensor.b", 2)
    report = await imported(entry, recorder_mock)

    assert {row[0] for row in app.past.statistics} == {"sensor.b"}
    assert (report.read, report.sent) == (4, 2)


async def test_many_hours_arrive_in_order_and_in_batches(
    hass: HomeAssistant, recorder_mock: Recorder, entry: Entry, app: FakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(STATISTICS, page=30)
    monkeypatch.setattr(statistics_import, "STATISTICS", small)
    keep(hass, "sensor.a", 100)
    await imported(entry, recorder_mock)

    assert [row[1] for row in app.past.statistics] == [NOON_US + n * HOUR for n in range(100)]
    assert list(app.past.streams.values()) == [4]


async def test_a_lost_answer_stores_nothing_twice_and_a_forgotten_stream_loses_nothing(
    hass: HomeAssistant, recorder_mock: Recorder, entry: Entry, app: FakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(STATISTICS, page=30)
    monkeypatch.setattr(statistics_import, "STATISTICS", small)
    keep(hass, "sensor.a", 100)
    app.past.lose_answers = 1
    forgotten = False

    def forget_once(body: dict[str, object]) -> web.Response | None:
        nonlocal forgotten
        if body["seq"] == 3 and not forgotten:
            forgotten = True
            app.past.streams.clear()
        return None

    app.past.refuse = forget_once
    report = await imported(entry, recorder_mock)

    assert [row[1] for row in app.past.statistics] == [NOON_US + n * HOUR for n in range(100)]
    assert app.past.duplicates == 1
    assert report.accepted == 100


async def test_a_bad_hour_is_counted(hass: HomeAssistant, recorder_mock: Recorder, entry: Entry, app: FakeApp) -> None:
    keep(hass, "sensor.a", 5)
    app.past.reject = lambda row: row[1] == NOON_US
    report = await imported(entry, recorder_mock)

    assert (report.sent, report.accepted, report.rejected) == (5, 4, 1)


async def test_an_app_that_takes_no_new_stream_is_given_up(
    hass: HomeAssistant, recorder_mock: Recorder, entry: Entry, app: FakeApp
) -> None:
    keep(hass, "sensor.a", 5)
    app.past.refuse = lambda _: problem(409, "never", expected=7)

    with pytest.raises(Busy):
        await imported(entry, recorder_mock)
