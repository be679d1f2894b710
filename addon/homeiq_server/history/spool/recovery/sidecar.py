"""The totals once more, in a small file of their own, so that a damaged spool loses no numbers.

``spool.totals.json`` is one JSON object with its own checksum. It is written to a temporary name, synced and renamed,
so that a reader finds the old one or the new one. It may be up to ten seconds behind the spool; ``adoption.py`` tells
what follows from that.
"""

import logging
import os
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import msgspec

from homeiq_server.history.spool.tables.counters import GAPS, LINES, Key
from homeiq_server.history.spool.totals import Totals

_LOGGER = logging.getLogger(__name__)
_FORMAT: Final = 1


class Known(msgspec.Struct, frozen=True):
    """How far one source had come.

    Attributes:
        covered_us: Its first event's time; None before the first.
        whole_us: Up to here its events had come; None before the first.
        written_us: Up to here they have also left the queue; what was lost of it lies behind. None when not known.
        seen_us: When its last batch came.
    """

    covered_us: int | None = None
    whole_us: int | None = None
    written_us: int | None = None
    seen_us: int = 0


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """The spool's numbers as of one commit.

    Attributes:
        server_id: Of the spool, so that a new file is still the same server.
        at_us: When that commit was, by our clock.
        last_row_id: The highest id that a row of the queue had had; rows above are in none of the numbers.
        counts: Scope, name, reason and number of each counter.
        sources: By source.
        salvaged: The damaged copies of which nothing more is to be had.
    """

    server_id: str
    at_us: int = 0
    last_row_id: int = 0
    counts: tuple[tuple[str, str, str, int], ...] = ()
    sources: dict[str, Known] = {}
    salvaged: tuple[str, ...] = ()

    def by_key(self) -> dict[Key, int]:
        """Return the counters."""
        return {(scope, name, reason): n for scope, name, reason, n in self.counts}

    def total(self, scope: str, name: str) -> int:
        """Return one counter, all its reasons together."""
        return sum(n for its_scope, its_name, _, n in self.counts if (its_scope, its_name) == (scope, name))

    def settled(self) -> int:
        """Return the lines that had left the spool for good."""
        return self.total(LINES, "written") + self.total(LINES, "dropped")

    def is_behind(self, other: Self) -> bool:
        """Tell whether ``other`` is of a later commit of the same spool: counters only grow."""
        ours, theirs = self.by_key(), other.by_key()
        return ours != theirs and all(theirs.get(key, 0) >= n for key, n in ours.items())

    def is_sound(self) -> bool:
        """Tell whether the laws can hold for these numbers: a flipped bit in one of them breaks one."""
        channels = {scope for scope, _, _, _ in self.counts} - {LINES, GAPS}
        parts = ("converted", "skipped", "rejected", "duplicate")
        return self.settled() <= self.total(LINES, "spooled") and all(
            self.total(channel, "received") == sum(self.total(channel, part) for part in parts) for channel in channels
        )


def counts_of(totals: Totals) -> tuple[tuple[str, str, str, int], ...]:
    """Return the counters that ``totals`` was made of."""
    counts: dict[Key, int] = {}
    for channel, intake in totals.intake.items():
        for name in ("received", "converted", "duplicate"):
            counts[channel, name, ""] = getattr(intake, name)
        _add_reasons(counts, channel, "skipped", intake.skipped)
        _add_reasons(counts, channel, "rejected", intake.rejected)
    counts[LINES, "spooled", ""] = totals.lines.spooled
    counts[LINES, "written", ""] = totals.lines.written
    _add_reasons(counts, LINES, "dropped", totals.lines.dropped)
    counts[GAPS, "missed", ""] = totals.missed
    return tuple((*key, n) for key, n in counts.items() if n)


def _add_reasons(counts: dict[Key, int], scope: str, name: str, reasons: Mapping[str, int]) -> None:
    counts.update({(scope, name, reason): n for reason, n in reasons.items()})


class _File(msgspec.Struct, frozen=True):
    format: int
    crc32: int
    noted: msgspec.Raw


class Sidecar:
    """The file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fails = False

    def read(self) -> Noted | None:
        """Return what was noted last; None when there is nothing, or nothing that can be trusted."""
        try:
            file = msgspec.json.decode(self._path.read_bytes(), type=_File)
            if file.format != _FORMAT or file.crc32 != zlib.crc32(file.noted):
                raise msgspec.ValidationError("its checksum is wrong")
            return msgspec.json.decode(file.noted, type=Noted)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as err:
            _LOGGER.warning("%s is damaged and is left out of account: %s", self._path, err)
            return None

    def write(self, noted: Noted) -> bool:
        """Replace the file; False when the disk does not take it, which harms nothing but what it is for."""
        raw = msgspec.json.encode(noted)
        new = self._path.with_name(self._path.name + ".new")
        try:
            _write_synced(new, msgspec.json.encode(_File(_FORMAT, zlib.crc32(raw), msgspec.Raw(raw))))
            new.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as err:
            if not self._fails:
                _LOGGER.warning("The copy of the totals, %s, cannot be written: %s", self._path, err)
            self._fails = True
            with suppress(OSError):
                new.unlink(missing_ok=True)
            return False
        self._fails = False
        return True


def _write_synced(path: Path, raw: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make a rename in the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
