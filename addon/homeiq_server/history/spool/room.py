"""Room on the disk: how much must stay free, and 8 MiB in reserve.

SQLite cannot even delete on a full disk, because a deletion is first written to the journal. So lines are refused while
there is still room for all that makes room (settling, emptying the journal), and a file of 8 MiB is given up when the
disk is full all the same: others fill it too.
"""

import logging
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LOGGER = logging.getLogger(__name__)
_MEBIBYTE: Final = 1024 * 1024
_BLOCK_BYTES: Final = 512  # the unit of st_blocks, whatever the file system's own is
_ENOUGH: Final = 1.25  # times the floor: not to and fro at the floor itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """How much room is kept.

    Attributes:
        ballast_bytes: Size of the file that is given up when the disk is full.
        floor_bytes: Lines are refused while less is free; None for the larger of 64 MiB and twice the ballast.
    """

    ballast_bytes: int = 8 * _MEBIBYTE
    floor_bytes: int | None = None

    @property
    def floor(self) -> int:
        """The floor in force."""
        return max(64 * _MEBIBYTE, 2 * self.ballast_bytes) if self.floor_bytes is None else self.floor_bytes


DEFAULT_RESERVE: Final = Reserve()


class Room:
    """The disk that a folder is on.

    Attributes:
        has_given_up: The disk was full, and the reserve is not there again yet.
    """

    def __init__(self, ballast: Path, reserve: Reserve) -> None:
        """Look at nothing yet; ``ballast`` is the reserve's file."""
        self._ballast = ballast
        self._reserve = reserve
        self._is_short = False
        self.has_given_up = False
        self._fails = False

    def shortage(self) -> str | None:
        """Return why no lines can be taken, with the numbers; None while there is room. Costs microseconds."""
        free = self._free()
        floor = self._reserve.floor
        self._is_short = free < floor * (_ENOUGH if self._is_short else 1)
        if not self._is_short:
            return None
        return f"only {free // _MEBIBYTE} MiB of the disk are free, and {floor // _MEBIBYTE} MiB must stay so"

    def give_up_ballast(self) -> bool:
        """Free the reserve; False when it is not there."""
        try:
            self._ballast.unlink()
        except OSError:
            return False
        self.has_given_up = True
        _LOGGER.warning("The disk is full: gave up %s, so that what is queued can still be written", self._ballast)
        return True

    def keep_ballast(self) -> bool:
        """Make the reserve, when it is not there and there is room for it above the floor; False without it."""
        wanted = self._reserve.ballast_bytes
        if _taken(self._ballast) >= wanted:
            return True
        if self._free() < self._reserve.floor + wanted:
            return False
        try:
            _allocate(self._ballast, wanted)
        except OSError as err:
            with suppress(OSError):
                self._ballast.unlink(missing_ok=True)
            if not self._fails:
                _LOGGER.warning("The reserve for a full disk, %s, cannot be made: %s", self._ballast, err)
            self._fails = True
            return False
        if self.has_given_up:
            _LOGGER.info("The disk has room again")
        self.has_given_up = self._fails = False
        return True

    def _free(self) -> int:
        return shutil.disk_usage(self._ballast.parent).free


def _taken(path: Path) -> int:
    """Return what the file takes of the disk, which is less than its size when it has holes."""
    try:
        return path.stat().st_blocks * _BLOCK_BYTES
    except OSError:
        return 0


def _allocate(path: Path, size: int) -> None:
    """Make a file that really takes so much: where allocation is only promised, by writing what does not compress."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size)
        if os.fstat(descriptor).st_blocks * _BLOCK_BYTES < size:
            for at in range(0, size, _MEBIBYTE):
                os.pwrite(descriptor, os.urandom(min(_MEBIBYTE, size - at)), at)
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
