"""Dumps of the embedded PostgreSQL's database: what the next major version begins with, whose data folder is another.

A dump has its name only once it is whole and on disk. Two of each major version are kept.
"""

import asyncio
import logging
import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Final

from homeiq_server.errors import HomeIQError, RetryLater

from .postgres_folder import sync_folder

_LOGGER = logging.getLogger(__name__)
_NAME: Final = re.compile(r"postgresql-(\d+)-(\d{8}T\d{6}Z)\.dump")
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_UNFINISHED: Final = ".new"
_KEPT: Final = 2
_EVERY: Final = timedelta(days=1)
_FIRST_AFTER: Final = timedelta(minutes=10)  # the start of everything else comes first
_AGAIN_AFTER: Final = timedelta(hours=1)

type Write = Callable[[IO[bytes]], Awaitable[None]]
"""Writes a dump into the open file."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, order=True)
class Dump:
    """One file; ordered by what is best to restore."""

    major: int
    at: datetime
    path: Path


class Dumps:
    """The dumps in a folder, by one major version.

    Attributes:
        folder: Made when there is something to put into it.
    """

    def __init__(
        self,
        folder: Path,
        major: int,
        *,
        now: Callable[[], datetime] = _now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.folder = folder
        self._major = major
        self._now = now
        self._sleep = sleep

    def restorable(self) -> list[Dump]:
        """Return the dumps of this major version and of older ones, the best first."""
        if not self.folder.exists():
            return []
        dumps = [dump for path in self.folder.iterdir() if (dump := _read(path)) and dump.major <= self._major]
        return sorted(dumps, reverse=True)

    async def make(self, write: Write) -> Path:
        """Make one, and remove those that are too many.

        Raises:
            HomeIQError: Of ``write``.
            OSError: There is no room, or no disk.
        """
        self.folder.mkdir(mode=0o700, exist_ok=True)
        for left_behind in self.folder.glob(f"*{_UNFINISHED}"):
            left_behind.unlink()
        path = self.folder / f"postgresql-{self._major}-{self._stamp():{_STAMP}}.dump"
        unfinished = path.with_name(path.name + _UNFINISHED)
        try:
            with unfinished.open("xb") as file:
                await write(file)
                await asyncio.to_thread(os.fsync, file.fileno())
            unfinished.rename(path)
        finally:
            unfinished.unlink(missing_ok=True)
        await asyncio.to_thread(sync_folder, self.folder)
        for old in self._own()[_KEPT:]:
            old.path.unlink()
        return path

    async def daily(self, make: Callable[[], Awaitable[None]]) -> None:
        """Call ``make`` once a day for ever; a day counts from the newest dump, also of an earlier run."""
        wait = self._until_due()
        while True:
            await self._sleep(wait.total_seconds())
            try:
                await make()
                wait = _EVERY
            except (HomeIQError, OSError) as err:
                _LOGGER.warning("the daily dump of PostgreSQL failed, the next attempt is in an hour: %s", err)
                wait = _AGAIN_AFTER

    def _own(self) -> list[Dump]:
        return [dump for dump in self.restorable() if dump.major == self._major]

    def _until_due(self) -> timedelta:
        newest = next(iter(self._own()), None)
        left = newest.at + _EVERY - self._now() if newest else _FIRST_AFTER
        return min(max(left, _FIRST_AFTER), _EVERY)

    def _stamp(self) -> datetime:
        """Return now, but later than the newest: a clock that was wrong at the start must not make it the oldest."""
        newest = next(iter(self._own()), None)
        return max(self._now(), newest.at + timedelta(seconds=1)) if newest else self._now()


async def restore_first(dumps: list[Dump], restore: Callable[[IO[bytes]], Awaitable[None]]) -> Dump | None:
    """Restore the first dump that can be restored, each within one transaction; None when there are none.

    Raises:
        RetryLater: There are dumps, and none can be restored.
    """
    failures = []
    for dump in dumps:
        try:
            with dump.path.open("rb") as file:
                await restore(file)
        except (HomeIQError, OSError) as err:
            _LOGGER.warning("%s cannot be restored: %s", dump.path, err)
            failures.append(str(err))
        else:
            return dump
    if failures:
        raise RetryLater(
            f"no dump in {dumps[0].path.parent} can be restored: move them away to begin with an empty store"
            f" ({failures[0]})"
        )
    return None


def _read(path: Path) -> Dump | None:
    if (match := _NAME.fullmatch(path.name)) is None:
        return None
    try:
        at = datetime.strptime(match[2], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    return Dump(int(match[1]), at, path)
