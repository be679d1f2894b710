"""Dumps: when they are made, which are kept, which are restored."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import pytest

from homeiq_server.embedded.postgres_dumps import Dumps, restore_first
from homeiq_server.errors import RetryLater

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Clock:
    """Time passes while somebody sleeps; after ``naps`` of them it stands still."""

    def __init__(self, at: datetime = NOON, naps: int = 0) -> None:
        self.at = at
        self.naps = naps
        self.slept: list[timedelta] = []

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        if len(self.slept) == self.naps:
            raise asyncio.CancelledError
        self.slept.append(timedelta(seconds=seconds))
        self.at += self.slept[-1]


def dumps_of(folder: Path, clock: Clock | None = None, *, major: int = 18) -> Dumps:
    clock = clock or Clock()
    return Dumps(folder / "dumps", major, now=clock.now, sleep=clock.sleep)


def writing(content: bytes) -> Callable[[IO[bytes]], Awaitable[None]]:
    async def write(file: IO[bytes]) -> None:
        file.write(content)
        file.flush()

    return write


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "dumps").iterdir())


async def test_a_dump_has_the_version_and_the_time_in_its_name(tmp_path: Path) -> None:
    path = await dumps_of(tmp_path).make(writing(b"all of it"))
    assert path == tmp_path / "dumps" / "postgresql-18-20261122T120000Z.dump"
    assert path.read_bytes() == b"all of it"
    assert (tmp_path / "dumps").stat().st_mode & 0o777 == 0o700


async def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    clock = Clock()
    for hour in range(4):
        clock.at = NOON + hour * HOUR
        await dumps_of(tmp_path, clock).make(writing(b""))
    assert names(tmp_path) == ["postgresql-18-20261122T140000Z.dump", "postgresql-18-20261122T150000Z.dump"]


async def test_those_of_another_version_are_left_alone(tmp_path: Path) -> None:
    for major in (17, 18, 18, 18):
        await dumps_of(tmp_path, major=major).make(writing(b""))
    assert names(tmp_path)[0] == "postgresql-17-20261122T120000Z.dump"
    assert len(names(tmp_path)) == 3


async def test_the_newest_is_the_last_made_even_if_the_clock_went_back(tmp_path: Path) -> None:
    clock = Clock()
    for content in (b"1", b"2", b"3"):
        newest = await dumps_of(tmp_path, clock).make(writing(content))
        clock.at -= 365 * DAY
    assert dumps_of(tmp_path).restorable()[0].path == newest
    assert newest.read_bytes() == b"3"


@pytest.mark.parametrize("failure", [RetryLater("no"), OSError("no room"), asyncio.CancelledError()])
async def test_one_that_is_not_finished_leaves_no_trace(tmp_path: Path, failure: BaseException) -> None:
    async def write(file: IO[bytes]) -> None:
        file.write(b"half")
        raise failure

    with pytest.raises(type(failure)):
        await dumps_of(tmp_path).make(write)
    assert names(tmp_path) == []


async def test_what_a_killed_server_left_unfinished_is_removed(tmp_path: Path) -> None:
    (tmp_path / "dumps").mkdir()
    (tmp_path / "dumps" / "postgresql-18-20261121T120000Z.dump.new").write_bytes(b"half")
    await dumps_of(tmp_path).make(writing(b""))
    assert names(tmp_path) == ["postgresql-18-20261122T120000Z.dump"]


async def daily(dumps: Dumps, made: list[datetime], clock: Clock, *, failing: int = 0) -> None:
    """Let the days go by until the clock stands still; the first ``failing`` attempts fail."""
    attempts = 0

    async def make() -> None:
        nonlocal attempts
        attempts += 1
        if attempts <= failing:
            raise RetryLater("not now")
        made.append(clock.at)

    with pytest.raises(asyncio.CancelledError):
        await dumps.daily(make)


async def test_the_first_is_made_soon_and_then_one_a_day(tmp_path: Path) -> None:
    made: list[datetime] = []
    clock = Clock(naps=3)
    await daily(dumps_of(tmp_path, clock), made, clock)
    assert made == [NOON + 10 * MINUTE, NOON + 10 * MINUTE + DAY, NOON + 10 * MINUTE + 2 * DAY]


@pytest.mark.parametrize(
    ("age", "wait"),
    [(HOUR, 23 * HOUR), (DAY, 10 * MINUTE), (30 * DAY, 10 * MINUTE), (-365 * DAY, DAY)],
    ids=["recent", "due", "long due", "of a clock that was wrong"],
)
async def test_a_day_counts_from_the_newest_of_an_earlier_run(tmp_path: Path, age: timedelta, wait: timedelta) -> None:
    made: list[datetime] = []
    await dumps_of(tmp_path, Clock(NOON - age)).make(writing(b""))
    clock = Clock(naps=1)
    await daily(dumps_of(tmp_path, clock), made, clock)
    assert made == [NOON + wait]


async def test_after_a_failure_the_next_attempt_is_in_an_hour(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made: list[datetime] = []
    clock = Clock(naps=3)
    await daily(dumps_of(tmp_path, clock), made, clock, failing=2)
    assert clock.slept == [10 * MINUTE, HOUR, HOUR]
    assert len(made) == 1
    assert "failed, the next attempt is in an hour: not now" in caplog.text


async def test_newer_versions_and_other_files_cannot_be_restored(tmp_path: Path) -> None:
    for major in (19, 17, 18):
        await dumps_of(tmp_path, major=major).make(writing(b""))
    for name in ("notes.txt", "postgresql-17-20269999T999999Z.dump", "postgresql-17-20261122T120000Z.dump.new"):
        (tmp_path / "dumps" / name).touch()
    assert [dump.major for dump in dumps_of(tmp_path).restorable()] == [18, 17]


def test_without_a_folder_there_is_nothing_to_restore(tmp_path: Path) -> None:
    assert dumps_of(tmp_path).restorable() == []


async def restored_of(folder: Path, *contents: bytes) -> bytes | None:
    """Make these dumps, the oldest first, and restore; return what was restored."""
    for content in contents:
        await dumps_of(folder).make(writing(content))
    restored = None

    async def restore(file: IO[bytes]) -> None:
        nonlocal restored
        if (content := file.read()) == b"damaged":
            raise RetryLater("it is damaged")
        restored = content

    await restore_first(dumps_of(folder).restorable(), restore)
    return restored


async def test_the_newest_is_restored(tmp_path: Path) -> None:
    assert await restored_of(tmp_path, b"1", b"2") == b"2"


async def test_a_damaged_one_gives_way_to_the_one_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert await restored_of(tmp_path, b"1", b"damaged") == b"1"
    assert "cannot be restored: it is damaged" in caplog.text


async def test_nothing_begins_empty_while_there_are_dumps_that_cannot_be_restored(tmp_path: Path) -> None:
    with pytest.raises(RetryLater, match=rf"no dump in {tmp_path / 'dumps'} .*move them away.*\(it is damaged\)"):
        await restored_of(tmp_path, b"damaged", b"damaged")


async def test_without_dumps_nothing_is_restored(tmp_path: Path) -> None:
    assert await restored_of(tmp_path) is None
