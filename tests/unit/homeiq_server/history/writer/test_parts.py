"""The writer between a spool that fails and a database that does not, and its small parts."""

import asyncio
import time
from dataclasses import replace

import pytest

from homeiq_server.history.answers import Action, Category, Refusal
from homeiq_server.history.influx import Influx, InfluxSettings
from homeiq_server.history.spool import Settled
from homeiq_server.history.target import Identity
from homeiq_server.history.writer import Writer
from homeiq_server.history.writer.outage import Outage, Timing
from homeiq_server.history.writer.pace import Pace
from homeiq_server.history.writer.report import WriterState, state_of
from homeiq_server.history.writer.settling import MAX_ROWS, Sent, Settling
from tests.unit.homeiq_server.history.fake_database import FakeDatabase, running
from tests.unit.homeiq_server.history.writer.writer_builders import QUICK, ShortQueue, row


async def drained(queue: ShortQueue, database: FakeDatabase) -> None:
    target = Influx(InfluxSettings(url=database.url))
    task = asyncio.create_task(Writer(queue, target, timing=QUICK).run(), name="writer")
    async with asyncio.timeout(20):
        await queue.emptied.wait()
    task.cancel()
    await asyncio.wait([task])
    await target.close()


async def test_a_damaged_row_is_counted_as_dropped_and_its_neighbours_are_written() -> None:
    queue = ShortQueue([row(1, b"m f=1.0 1"), row(2, b"m f=1.0 2\nm f=1.0 3", packed=b"junk"), row(3, b"m f=1.0 4")])
    async with running(FakeDatabase()) as database:
        await drained(queue, database)
        assert database.stored == [b"m f=1.0 1", b"m f=1.0 4"]
    assert Settled(row_id=2, written=0, dropped={"damage": 2}) in queue.settled


async def test_rows_that_the_spool_could_not_settle_are_settled_later_and_not_sent_again() -> None:
    queue = ShortQueue([row(1, b"m f=1.0 1")], failures=2)
    async with running(FakeDatabase()) as database:
        await drained(queue, database)
        assert database.stored == [b"m f=1.0 1"]
    assert queue.settled == [Settled(row_id=1, written=1)]


async def test_the_pace_lets_no_more_pass_than_it_should() -> None:
    pace = Pace(100)
    start = time.monotonic()
    for _ in range(4):
        await pace.wait(5)
    assert time.monotonic() - start >= 0.15


AWAY = Refusal(action=Action.RETRY, category=Category.NETWORK, reason="away")


def pause_s(outage: Outage, refusal: Refusal) -> float:
    outage.failed(refusal)
    return outage.retry_at - time.monotonic()


def test_the_backoff_grows_up_to_its_bound_with_full_jitter() -> None:
    bounds = [1, 2, 4, 8, 16, 32, 60, 60]
    rounds = []
    for _ in range(200):
        outage = Outage("db", Timing())
        rounds.append([pause_s(outage, AWAY) for _ in bounds])
    for bound, pauses in zip(bounds, zip(*rounds, strict=True), strict=True):
        assert max(pauses) <= bound
        assert min(pauses) < bound / 4
        assert max(pauses) > bound * 3 / 4


def test_the_advice_of_the_database_wins_over_the_backoff() -> None:
    assert 6 < pause_s(Outage("db", Timing()), replace(AWAY, after=7)) <= 7


def test_a_setting_is_asked_about_every_minute() -> None:
    assert 59 < pause_s(Outage("db", Timing()), replace(AWAY, action=Action.HOLD)) <= 60


def test_a_success_ends_an_outage_and_its_backoff() -> None:
    outage = Outage("db", Timing())
    for _ in range(20):
        outage.failed(AWAY)
    outage.ended()
    assert outage.refusal is None
    assert pause_s(outage, AWAY) <= 1


def sent(row_id: int, *, due: float, epoch: str = "first", written: int = 2) -> Sent:
    return Sent(Settled(row_id=row_id, written=written), due, epoch)


def test_rows_settle_when_they_are_due() -> None:
    settling = Settling()
    settling.add([sent(1, due=10), sent(2, due=11), sent(3, due=20)])
    assert (settling.due, settling.lines) == (10, 6)
    assert [result.row_id for result in settling.take_due(11, "first")] == [1, 2]
    assert (settling.due, settling.lines) == (20, 2)


def test_rows_of_a_process_that_is_gone_never_settle() -> None:
    settling = Settling()
    settling.add([sent(1, due=10), sent(2, due=11, epoch="second")])
    assert settling.take_due(99, "second") == []
    assert settling.lost("second")
    assert settling.clear() == 4
    assert (settling.due, settling.lines, settling.lost("second")) == (None, 0, False)


def test_the_rows_that_may_settle_at_once_are_bounded() -> None:
    settling = Settling()
    settling.add([sent(row_id, due=1) for row_id in range(MAX_ROWS - 1)])
    assert settling.has_room_for_backlog
    settling.add([sent(MAX_ROWS, due=1)])
    assert (settling.has_room_for_backlog, settling.is_full) == (False, False)  # what is fresh need not wait yet
    settling.add([sent(row_id, due=1) for row_id in range(MAX_ROWS)])
    assert settling.is_full


@pytest.mark.parametrize(
    ("refusal", "identity", "state"),
    [
        (None, None, "starting"),
        (None, Identity("InfluxDB", "2.7"), "ok"),
        (Refusal(action=Action.RETRY, category=Category.NETWORK, reason="x"), None, "unreachable"),
        (Refusal(action=Action.RETRY, category=Category.OVERLOADED, reason="x", status=503), None, "refusing"),
        (Refusal(action=Action.HOLD, category=Category.AUTH, reason="x", status=401), None, "misconfigured"),
    ],
)
def test_the_state_follows_from_the_latest_failure(
    refusal: Refusal | None, identity: Identity | None, state: WriterState
) -> None:
    assert state_of(refusal, identity) == state
