"""The spool as the event loop sees it: acknowledgement, groups, waiting, cancelling, closing, failing."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from homeiq_server.errors import RetryLater, SequenceHole
from homeiq_server.history.spool import Settled, Spool
from homeiq_server.history.spool.tables.tables import Tables
from homeiq_server.model import Labels
from tests.unit.homeiq_server.history.spool.spool_builders import GIBIBYTE, intake


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "spool.sqlite"


@pytest.fixture
async def spool(path: Path) -> AsyncIterator[Spool]:
    spool = await Spool.open(path, limit_bytes=GIBIBYTE)
    yield spool
    await spool.close()


async def take_all(spool: Spool) -> list[bytes]:
    rows = await spool.take(after=0, max_lines=10**9, max_bytes=10**9)
    return [line for row in rows for line in row.body().split(b"\n")]


async def test_a_receipt_means_that_another_process_finds_the_lines(spool: Spool, path: Path) -> None:
    await spool.put(intake(1))

    db = sqlite3.connect(path)
    assert db.execute("SELECT sum(count) FROM queue").fetchone() == (3,)
    db.close()


async def test_many_callers_share_few_commits_and_each_gets_its_own_answer(spool: Spool) -> None:
    answers = await asyncio.gather(
        *(spool.put(intake(seq)) for seq in range(1, 101)),
        spool.put(intake(500)),
        spool.put(intake(1)),
        return_exceptions=True,
    )

    assert isinstance(answers[100], SequenceHole)
    assert [answer.duplicate for answer in answers if not isinstance(answer, BaseException)] == [False] * 100 + [True]
    assert len(spool.totals().commit_s) < 10
    assert spool.totals().lines.spooled == 300


async def test_totals_include_what_was_just_acknowledged(spool: Spool) -> None:
    await spool.put(intake(1))
    before = spool.totals()
    (row,) = await spool.take(after=0, max_lines=10, max_bytes=1000)
    await spool.settle([Settled(row_id=row.id, written=3)])

    assert (before.lines.queued, before.newest_row_id) == (3, row.id)
    assert (spool.totals().lines.written, spool.totals().newest_row_id) == (3, 0)
    assert spool.totals().oldest_accepted_us is None


async def test_a_row_keeps_the_form_in_force_when_it_was_put(spool: Spool) -> None:
    waiting = asyncio.ensure_future(spool.put(intake(1)))
    await asyncio.sleep(0)
    spool.form = "victoria"
    await asyncio.gather(waiting, spool.put(intake(2)))

    rows = await spool.take(after=0, max_lines=10, max_bytes=1000)
    assert [row.form for row in rows] == ["influx", "victoria"]


async def test_who_waits_for_rows_is_woken_by_a_commit(spool: Spool) -> None:
    waiting = asyncio.create_task(spool.wait_for_rows(0))
    await spool.put(intake(1, count=0))
    assert not waiting.done()
    await spool.put(intake(2))
    await asyncio.wait_for(waiting, 5)

    (row,) = await spool.take(after=0, max_lines=10, max_bytes=1000)
    await asyncio.wait_for(spool.wait_for_rows(row.id - 1), 5)
    waiting = asyncio.create_task(spool.wait_for_rows(row.id))
    await spool.settle([Settled(row_id=row.id, written=3)])
    assert not waiting.done()
    waiting.cancel()


async def test_a_cancelled_caller_undoes_nothing(spool: Spool) -> None:
    calls = [asyncio.create_task(spool.put(intake(seq))) for seq in (1, 2, 3)]
    await asyncio.sleep(0)
    calls[1].cancel()
    await asyncio.wait(calls)

    assert calls[1].cancelled()
    assert (await spool.put(intake(2))).duplicate
    assert spool.totals().lines.spooled == 9


async def test_close_commits_what_waits_and_leaves_one_whole_file(path: Path) -> None:
    spool = await Spool.open(path, limit_bytes=GIBIBYTE)
    calls = [asyncio.create_task(spool.put(intake(seq))) for seq in range(1, 50)]
    await asyncio.sleep(0)
    await spool.close()
    await asyncio.gather(*calls)

    left = {file.name for file in path.parent.iterdir()} - {"spool.ballast"}
    assert left == {"spool.sqlite", "spool.sqlite.lock", "spool.totals.json"}
    spool = await Spool.open(path, limit_bytes=GIBIBYTE)
    assert len(await take_all(spool)) == 3 * 49
    await spool.close()


async def test_a_closed_spool_refuses_and_wakes_who_waits(path: Path) -> None:
    spool = await Spool.open(path, limit_bytes=GIBIBYTE)
    waiting = asyncio.create_task(spool.wait_for_rows(0))
    await asyncio.sleep(0)
    await spool.close()
    await spool.close()

    with pytest.raises(RetryLater, match="closing"):
        await waiting
    with pytest.raises(RetryLater, match="closing"):
        await spool.put(intake(1))


async def test_the_server_keeps_its_id(path: Path) -> None:
    ids = set()
    for _ in range(2):
        spool = await Spool.open(path, limit_bytes=GIBIBYTE)
        ids.add(spool.server_id)
        await spool.close()

    assert len(ids) == 1
    assert len(ids.pop()) == 32


async def test_labels_can_be_read_back(spool: Spool) -> None:
    await spool.put(intake(1, labels={"light.a": b'{"area":"Kitchen"}'}))

    assert await spool.labels("home") == {"light.a": Labels(area="Kitchen")}


async def test_what_waits_is_bounded(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homeiq_server.history.spool.spool.MAX_WAITING_BYTES", 20)
    first = asyncio.create_task(spool.put(intake(1)))
    await asyncio.sleep(0)

    with pytest.raises(RetryLater, match="slower"):
        await spool.put(intake(2))
    await first
    await spool.put(intake(2))


async def test_a_failed_commit_fails_all_that_waited_and_the_next_works(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await spool.put(intake(1))

    def full(_: Tables) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch, caplog.at_level("INFO"):
        patch.setattr(Tables, "_end", lambda tables, _: full(tables))
        answers = await asyncio.gather(*(spool.put(intake(seq)) for seq in (2, 3)), return_exceptions=True)
        answers += await asyncio.gather(spool.put(intake(2)), return_exceptions=True)
        patch.undo()
        await spool.put(intake(2))

    assert [type(answer) for answer in answers] == [RetryLater] * 3
    assert len(await take_all(spool)) == spool.totals().lines.spooled == 6
    assert spool.totals().imbalances() == []
    assert [record.levelname for record in caplog.records if "spool" in record.name] == ["WARNING", "INFO"]


async def test_a_locked_file_is_retried_by_the_caller_and_nothing_is_lost(spool: Spool, path: Path) -> None:
    await spool.put(intake(1))
    await spool._thread.read(lambda file: file._ready().db.execute("PRAGMA busy_timeout = 1").fetchall())
    db = sqlite3.connect(path, autocommit=True)
    db.execute("BEGIN IMMEDIATE")

    with pytest.raises(RetryLater, match="locked"):
        await spool.put(intake(2))
    db.execute("ROLLBACK")
    db.close()
    await spool.put(intake(2))

    assert spool.totals().lines.spooled == 6


async def test_rows_that_vanished_behind_the_counters_back_are_reported_at_open_and_counted(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = await Spool.open(path, limit_bytes=GIBIBYTE)
    await spool.put(intake(1))
    await spool.close()
    db = sqlite3.connect(path, autocommit=True)
    db.execute("DELETE FROM queue")
    db.close()

    spool = await Spool.open(path, limit_bytes=GIBIBYTE)
    await eventually(lambda: not salvage_runs(spool))
    await spool.close()

    assert spool.totals().imbalances() == []
    assert spool.totals().lines.dropped == {"damage": 3}
    assert "spooled 3 lines, but 0 are accounted for" in caplog.text


async def test_a_damaged_spool_is_salvaged_beside_the_work(path: Path) -> None:
    spool = await Spool.open(path, limit_bytes=GIBIBYTE)
    for seq in range(1, 101):
        await spool.put(intake(seq))
    before, server_id = await take_all(spool), spool.server_id
    await spool.close()
    with path.open("r+b") as file:
        file.write(bytes(4096))

    spool = await Spool.open(path, limit_bytes=GIBIBYTE)
    receipts = await asyncio.gather(*(spool.put(intake(seq)) for seq in (100, 101)))
    await eventually(lambda: not salvage_runs(spool))
    after = await take_all(spool)

    assert [receipt.duplicate for receipt in receipts] == [True, False]
    assert sorted(after) == sorted([*before, *intake(101).lines.body.split(b"\n")])
    assert spool.server_id == server_id
    await spool.close()


def salvage_runs(spool: Spool) -> bool:
    salvage = spool.totals().salvage
    return salvage is None or salvage.is_running


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - totals tell of no event
            await asyncio.sleep(0.01)
