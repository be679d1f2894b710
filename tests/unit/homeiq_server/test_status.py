"""The one status: for every cause its reason, and the same numbers wherever it is shown."""

import msgspec
import pytest

from homeiq_server.api.metrics import StatusCollector
from homeiq_server.history.spool.totals import ChannelTotals, KnownGap, LineTotals, SourceTotals, Totals
from homeiq_server.status import Seen, build
from homeiq_server.status.shape import (
    DatabaseState,
    DatabaseStatus,
    HistoryStatus,
    LatencyStatus,
    RateStatus,
    Status,
)

HOUR_US = 3_600_000_000
NOW_US = 1_790_000_000_000_000
LIMIT = 100 * 1024 * 1024


def _status(
    totals: Totals | None = None,
    database: DatabaseStatus | None = None,
    refusals: tuple[tuple[str, str], ...] = (),
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
    ("fill", "level", "codes"),
    [(0.79, "ok", []), (0.8, "degraded", ["spool_filling"]), (1.0, "unhealthy", ["spool_full"])],
)
def test_a_filling_spool_degrades_and_a_full_one_is_unhealthy(fill: float, level: str, codes: list[str]) -> None:
    status = _status(Totals(limit_bytes=LIMIT, queued_bytes=int(LIMIT * fill)))
    assert (status.status, _codes(status)) == (level, codes)


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
    queued_bytes=1024,
    limit_bytes=LIMIT,
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
    assert status["gaps"] == {"open": 1, "newest": [gap | {"reason": "restart"}]}
    assert status["spool"]["oldest_age_s"] == 3.0
    assert status["latency"]["commit_p99_s"] == 0.001
    assert status["uptime_s"] == 7_200.0


def test_the_metrics_show_the_same_numbers() -> None:
    status = _status(FULL)
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
    assert samples["homeiq_status", "ok"] == 1
    assert samples["homeiq_spool_bytes",] == 1024
    assert ("homeiq_write_p99_seconds",) not in samples
