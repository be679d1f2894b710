"""The one status: for every cause its reason, and the same numbers wherever it is shown."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from homeiq_server.api.metrics import StatusCollector
from homeiq_server.history.spool.totals import ChannelTotals, KnownGap, LineTotals, SalvageTotals, SourceTotals, Totals
from homeiq_server.status import Seen, build
from homeiq_server.status.shape import (
    DatabaseState,
    DatabaseStatus,
    HistoryStatus,
    InsightsStatus,
    LatencyStatus,
    RateStatus,
    Status,
    StoreState,
    StoreStatus,
)

HOUR_US = 3_600_000_000
NOW_US = 1_790_000_000_000_000
LIMIT = 100 * 1024 * 1024


def _status(
    totals: Totals | None = None,
    database: DatabaseStatus | None = None,
    refusals: tuple[tuple[str, str], ...] = (),
    store: StoreStatus | None = None,
    insights: InsightsStatus | None = None,
) -> Status:
    return build(
        Seen(
            now_us=NOW_US,
            started_us=NOW_US - 2 * HOUR_US,
            server_id="f" * 32,
            history=HistoryStatus("on", "core"),
            totals=totals or Totals(limit_bytes=LIMIT),
            database=database or DatabaseStatus(url="http://influxdb:8086", state="ok"),
            rates=RateStatus(1.0, 2.0),
            latency=LatencyStatus(),
            refusals=refusals,
            store=store or StoreStatus(),
            insights=insights,
        )
    )


def _codes(status: Status) -> list[str]:
    return [reason.code for reason in status.reasons]


def test_nothing_wrong_is_ok_without_a_reason() -> None:
    status = _status()
    assert (status.status, status.reasons) == ("ok", [])


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("starting", "starting"),
        ("unreachable", "influx_url"),
        ("refusing", "disk"),
        ("misconfigured", "influx_token"),
    ],
)
def test_each_fault_of_the_database_degrades_with_its_remedy(state: DatabaseState, word: str) -> None:
    status = _status(database=DatabaseStatus(url="http://influxdb:8086", state=state, error="its own words"))
    assert status.status == "degraded"
    assert _codes(status) == [f"database_{state}"]
    assert word in status.reasons[0].message
    assert state == "starting" or "its own words" in status.reasons[0].message


def test_the_embedded_database_is_not_blamed_on_an_option() -> None:
    message = _status(database=DatabaseStatus(embedded=True, state="unreachable", error="why")).reasons[0].message
    assert message.startswith("The embedded database does not answer (why).")
    assert "influx" not in message


def test_history_switched_off_is_no_fault() -> None:
    assert _status(database=DatabaseStatus()).status == "ok"


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("starting", "nothing needs to be done"),
        ("unreachable", "database_url"),
        ("misconfigured", "database_owner_url"),
    ],
)
def test_a_store_that_is_down_degrades_and_says_that_history_goes_on(state: StoreState, word: str) -> None:
    status = _status(store=StoreStatus(state=state, error="its own words"))
    assert (status.status, _codes(status)) == ("degraded", [f"store_{state}"])
    assert "History goes on" in status.reasons[0].message
    assert word in status.reasons[0].message
    assert state == "starting" or "its own words" in status.reasons[0].message


def test_the_embedded_store_is_not_blamed_on_an_option() -> None:
    message = _status(store=StoreStatus(embedded=True, state="unreachable", error="why")).reasons[0].message
    assert message.startswith("The app's own PostgreSQL cannot be used (why).")
    assert "database_url" not in message


@pytest.mark.parametrize("state", ["off", "ok"])
def test_a_store_that_is_up_or_switched_off_is_no_fault(state: StoreState) -> None:
    assert _status(store=StoreStatus(state=state)).status == "ok"


def test_metrics_show_store_and_insights() -> None:
    at = datetime.fromtimestamp(NOW_US / 1e6, UTC)
    status = _status(
        store=StoreStatus(state="ok", version="18.6", schema_version=3),
        insights=InsightsStatus(
            tracked=7, evicted=2, evaluated_at=at, checkpoint_at=None, sources=1, conditions={"missing_integration": 1}
        ),
    )
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for metric in StatusCollector(lambda: status).collect()
        for sample in metric.samples
    }
    assert samples["homeiq_store_up",] == 1
    assert samples["homeiq_store_info", "18.6", "3"] == 1
    assert (samples["homeiq_store_state", "ok"], samples["homeiq_store_state", "off"]) == (1, 0)
    assert (samples["homeiq_insights_tracked",], samples["homeiq_insights_evicted_total",]) == (7, 2)
    assert samples["homeiq_insights_evaluated_timestamp_seconds",] == NOW_US / 1e6
    assert samples["homeiq_conditions", "missing_integration"] == 1
    assert ("homeiq_insights_checkpoint_timestamp_seconds",) not in samples


def _filled(fill: float, **more: Any) -> Totals:  # noqa: ANN401  # each number has its own type
    return Totals(limit_bytes=LIMIT, queued_bytes=int(LIMIT * fill), **more)


@pytest.mark.parametrize(
    ("fill", "is_filling", "level", "codes"),
    [
        (0.79, False, "ok", []),
        (0.8, True, "degraded", ["spool_filling"]),
        (0.71, True, "degraded", ["spool_filling"]),
        (1.0, True, "unhealthy", ["spool_full"]),
    ],
)
def test_a_filling_spool_degrades_and_a_full_one_is_unhealthy(
    fill: float, level: str, codes: list[str], *, is_filling: bool
) -> None:
    status = _status(_filled(fill, is_filling=is_filling))
    assert (status.status, _codes(status)) == (level, codes)


def test_a_spool_that_drops_its_oldest_refuses_nothing_and_is_unhealthy() -> None:
    dropping = _filled(1.0, is_filling=True, when_full="drop_oldest", dropping_since_us=NOW_US - HOUR_US)
    status = _status(dropping)
    assert (status.status, _codes(status)) == ("unhealthy", ["spool_dropping"])
    assert "since 2026-09-21 13:13 UTC" in status.reasons[0].message
    assert "spool_limit_mb" in status.reasons[0].message


def test_a_disk_without_room_is_unhealthy_and_told_once() -> None:
    status = _status(_filled(0.1, shortage="only 3 MiB are free"), refusals=(("spool_refuses", "only 3 MiB are free"),))
    assert (status.status, _codes(status)) == ("unhealthy", ["disk_full"])
    assert "only 3 MiB are free. Make room" in status.reasons[0].message


def _salvage(days_ago: int = 1, *, is_running: bool = False, lost: int = 7) -> Totals:
    at = datetime.fromtimestamp(NOW_US / 1e6, UTC) - timedelta(days=days_ago)
    copy = f"/data/spool.db.damaged-{at:%Y%m%dT%H%M%S.%fZ}"
    found = SalvageTotals(copy=copy, is_running=is_running, left=5, found=100, lost=lost)
    return Totals(limit_bytes=LIMIT, salvage=found)


@pytest.mark.parametrize(
    ("totals", "codes"),
    [
        (_salvage(is_running=True), ["spool_salvaging"]),
        (_salvage(), ["spool_damaged"]),
        (_salvage(days_ago=6), ["spool_damaged"]),
        (_salvage(days_ago=8), []),
        (_salvage(lost=0), []),
    ],
    ids=["running", "new", "a week old", "older", "nothing lost"],
)
def test_a_damaged_file_is_told_while_it_is_news(totals: Totals, codes: list[str]) -> None:
    status = _status(totals)
    assert _codes(status) == codes
    assert status.status == ("degraded" if codes else "ok")
    assert totals.salvage is not None
    assert all(totals.salvage.copy in reason.message for reason in status.reasons)


def test_a_damaged_file_is_shown_with_what_came_of_it() -> None:
    spool = _status(_salvage()).spool
    assert spool.salvage is not None
    assert spool.salvage.at == datetime.fromtimestamp(NOW_US / 1e6, UTC) - timedelta(days=1)
    assert (spool.salvage.left, spool.salvage.found, spool.salvage.lost) == (5, 100, 7)
    renamed = _status(Totals(salvage=SalvageTotals(copy="x", is_running=False, left=0, found=0, lost=1)))
    assert renamed.spool.salvage is not None
    assert renamed.spool.salvage.at is None


def test_what_a_filling_spool_will_do_is_told_as_it_is_set() -> None:
    for when_full, words in (("refuse", "events wait"), ("drop_oldest", "its oldest lines are dropped")):
        status = _status(_filled(0.9, is_filling=True, when_full=when_full))
        assert words in status.reasons[0].message


@pytest.mark.parametrize("code", ["stopping", "database_unknown", "spool_refuses"])
def test_a_server_that_takes_nothing_is_unhealthy(code: str) -> None:
    status = _status(refusals=((code, "the cause"),))
    assert (status.status, _codes(status)) == ("unhealthy", [code])


def test_a_full_spool_is_told_once() -> None:
    full = Totals(limit_bytes=LIMIT, queued_bytes=LIMIT)
    assert _codes(_status(full, refusals=(("spool_refuses", "it holds its limit"),))) == ["spool_full"]


@pytest.mark.parametrize(("silent_us", "codes"), [(HOUR_US - 1, []), (HOUR_US, ["no_events"])])
def test_a_long_silence_of_all_sources_degrades(silent_us: int, codes: list[str]) -> None:
    def source(name: str, ago_us: int) -> SourceTotals:
        return SourceTotals(source=name, last_event_us=None, last_seen_us=NOW_US - ago_us)

    totals = Totals(limit_bytes=LIMIT, sources=(source("old", 9 * HOUR_US), source("new", silent_us)))
    assert _codes(_status(totals)) == codes


def test_counters_that_do_not_add_up_are_told() -> None:
    status = _status(Totals(limit_bytes=LIMIT, lines=LineTotals(spooled=3, written=1)))
    assert (status.status, _codes(status)) == ("degraded", ["counters_disagree"])


@pytest.mark.parametrize("level", ["ok", "degraded", "unhealthy"])
def test_whatever_is_not_ok_has_a_reason(level: str) -> None:
    state: DatabaseState = "unreachable" if level == "degraded" else "ok"
    refusals = (("stopping", ""),) if level == "unhealthy" else ()
    status = _status(database=DatabaseStatus(state=state), refusals=refusals)
    assert status.status == level
    assert bool(status.reasons) == (level != "ok")


FULL = Totals(
    intake={"events": ChannelTotals(received=10, converted=6, duplicate=1, skipped={"a": 2}, rejected={"b": 1})},
    lines=LineTotals(spooled=9, written=4, queued=3, dead=1, dropped={"overflow": 1}),
    missed=5,
    queued_bytes=LIMIT // 2,
    limit_bytes=LIMIT,
    when_full="drop_oldest",
    is_filling=True,
    dropping_since_us=NOW_US - HOUR_US,
    dead_bytes=200,
    oldest_accepted_us=NOW_US - 3_000_000,
    open_gaps=1,
    newest_gaps=(KnownGap(source="home", start_us=0, end_us=1_000_000, events=None, reason="restart", is_open=True),),
    sources=(SourceTotals(source="home", last_event_us=NOW_US, last_seen_us=NOW_US),),
    commit_s=(0.001, 0.002),
)


def test_the_json_holds_what_the_integration_reads() -> None:
    status = msgspec.json.decode(msgspec.json.encode(_status(FULL)))

    assert status["lines"] == {
        "spooled": 9, "written": 4, "queued": 3, "dead": 1, "dropped": 1, "dropped_by_reason": {"overflow": 1},
    }  # fmt: skip
    assert status["intake"]["events"]["skipped_by_reason"] == {"a": 2}
    assert status["missed"] == 5
    gap = {"source": "home", "start": "1970-01-01T00:00:00Z", "end": "1970-01-01T00:00:01Z", "events": None}
    assert status["gaps"] == {"open": 1, "newest": [gap | {"reason": "restart", "open": True, "missed": None}]}
    assert status["spool"] == {
        "bytes": LIMIT // 2, "limit_bytes": LIMIT, "fill": 0.5, "filling": True, "when_full": "drop_oldest",
        "dropping_since": "2026-09-21T13:13:20Z", "oldest_age_s": 3.0, "dead_letter_bytes": 200,
        "shortage": None, "salvage": None,
    }  # fmt: skip
    assert status["latency"]["commit_p99_s"] == 0.001
    assert status["uptime_s"] == 7_200.0


def test_the_metrics_show_the_same_numbers() -> None:
    database = DatabaseStatus(
        state="misconfigured", product="InfluxDB", version="2.7.11", coerced=3, diverted=4, sent_again=5
    )
    status = _status(FULL, database)
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for metric in StatusCollector(lambda: status).collect()
        for sample in metric.samples
    }

    assert samples["homeiq_intake_received_total", "events"] == 10
    fates = [value for name, value in samples.items() if name[0] == "homeiq_intake_total"]
    assert sum(fates) == 10
    assert samples["homeiq_lines_spooled_total",] == 9
    assert samples["homeiq_lines_written_total",] == 4
    assert samples["homeiq_lines_dropped_total", "overflow"] == 1
    assert samples["homeiq_status", "unhealthy"] == 1
    assert samples["homeiq_reason", "spool_dropping"] == 1
    assert samples["homeiq_lines_dead",] == 1
    assert samples["homeiq_lines_sent_again_total",] == 5
    assert samples["homeiq_dead_letter_bytes",] == 200
    assert samples["homeiq_missed_total",] == 5
    assert samples["homeiq_gaps_open",] == 1
    assert samples["homeiq_spool_bytes",] == LIMIT // 2
    assert samples["homeiq_spool_fill_ratio",] == 0.5
    assert samples["homeiq_spool_filling",] == 1
    assert samples["homeiq_spool_dropping",] == 1
    assert samples["homeiq_database_info", "2.7.11", "InfluxDB"] == 1
    assert samples["homeiq_database_state", "misconfigured"] == 1
    assert samples["homeiq_database_state", "ok"] == 0
    assert samples["homeiq_fields_retyped_total", "coerced"] == 3
    assert samples["homeiq_fields_retyped_total", "diverted"] == 4
    assert ("homeiq_write_p99_seconds",) not in samples
