"""A file that cannot be used is moved out of the way, never deleted while anything of it may still be wanted.

Its name tells why: ``spool.db.damaged-<time>`` is one of ours, and is salvaged; ``.foreign-`` is somebody else's, and
``.newer-`` is of another version of this server: both are left alone for good. Its journal goes with it, under the name
by which SQLite finds it.
"""

import logging
from collections.abc import Container, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from .sidecar import sync_folder

type Kind = Literal["damaged", "foreign", "newer"]

_LOGGER = logging.getLogger(__name__)
_PARTS: Final = ("", "-wal", "-shm")  # in this order: see finish
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Unusable(Exception):
    """The file cannot be used as a spool.

    Attributes:
        kind: What it is instead.
    """

    def __init__(self, kind: Kind, reason: str) -> None:
        super().__init__(reason)
        self.kind: Final = kind


def set_aside(path: Path, kind: Kind, now_us: int) -> Path:
    """Rename a file and its journal; return the copy's path.

    Raises:
        OSError: The folder does not allow it.
    """
    copy = next(name for name in _names(path, kind, now_us) if not any(_beside(name)))
    _move(path, copy)
    return copy


def finish(path: Path) -> None:
    """Move a journal that a kill left behind when its file had been moved already.

    SQLite would delete it, because there is no file that it could belong to.

    Raises:
        OSError: The folder does not allow it.
    """
    journal = path.with_name(path.name + "-wal")
    newest = max(_all(path), key=lambda copy: copy.name.rpartition("-")[2], default=None)
    if newest and journal.exists() and not path.exists() and not newest.with_name(newest.name + "-wal").exists():
        _move(path, newest)


def damaged(path: Path) -> list[Path]:
    """Return the damaged copies that lie beside the file, oldest first."""
    return sorted(copy for copy in _all(path) if copy.name.startswith(f"{path.name}.damaged-"))


def keep_newest(path: Path, salvaged: Container[str]) -> None:
    """Delete all damaged copies but the newest, as far as they have been salvaged."""
    for copy in damaged(path)[:-1]:
        if copy.name in salvaged:
            _LOGGER.info("Deleting %s, which has been salvaged, because there is a newer damaged copy", copy)
            for part in list(_beside(copy)):
                with suppress(OSError):  # it is in nobody's way but the disk's
                    part.unlink()


def _all(path: Path) -> Iterator[Path]:
    for kind in ("damaged", "foreign", "newer"):
        for copy in path.parent.glob(f"{path.name}.{kind}-*"):
            if not copy.name.endswith(("-wal", "-shm")):
                yield copy


def _names(path: Path, kind: Kind, now_us: int) -> Iterator[Path]:
    """Yield a name for each microsecond from ``now_us`` on: no copy may replace another."""
    at = _EPOCH + timedelta(microseconds=now_us)
    while True:
        yield path.with_name(f"{path.name}.{kind}-{at:%Y%m%dT%H%M%S.%fZ}")
        at += timedelta(microseconds=1)


def _beside(copy: Path) -> Iterator[Path]:
    for part in _PARTS:
        if (path := copy.with_name(copy.name + part)).exists():
            yield path


def _move(path: Path, copy: Path) -> None:
    for part in _PARTS:
        with suppress(FileNotFoundError):
            path.with_name(path.name + part).rename(copy.with_name(copy.name + part))
    if not copy.exists():
        copy.touch(mode=0o600)  # only a journal was left: it is found by the name of its file
    sync_folder(path.parent)
