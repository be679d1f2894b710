"""How far the salvage of damaged copies has come; kept in the new file, and moved on together with the rows."""

import sqlite3
from typing import Final, Self

import msgspec

EVER: Final = 2**63 - 1
_KEY: Final = "salvage"
_LOAD = "SELECT value FROM meta WHERE key = ?"
_SAVE = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


class Span(msgspec.Struct):
    """What has been found of one source's time.

    Attributes:
        whole_us: Up to here its events were written, or their rows have been found; None when that is not known.
        until_us: Up to here they had come before the damage.
        start_us: Where the first stretch begins whose rows have not been found.
        end_us: Where the last one ends.
    """

    whole_us: int | None
    until_us: int | None
    start_us: int | None = None
    end_us: int | None = None

    def cover(self, since_us: int, newest_us: int) -> None:
        """Note a row that was found: from the first instant to the second its source is whole."""
        if self.whole_us is not None and self.whole_us < since_us:
            self.start_us = self.whole_us if self.start_us is None else self.start_us
            self.end_us = since_us
        self.whole_us = newest_us if self.whole_us is None else max(self.whole_us, newest_us)

    def close(self) -> tuple[int, int] | None:
        """Return the stretch that holds all that was not found, once there is no more to find.

        It begins with the last instant that is whole and ends with the first that is whole again.
        """
        if self.until_us is not None:
            self.cover(self.until_us, self.until_us)
        return None if self.start_us is None or self.end_us is None else (self.start_us, self.end_us + 1)


class Copy(msgspec.Struct):
    """A damaged copy: its name, and how many of its pages have been read; None when it is done."""

    name: str
    position: int | None = 0


class SalvageNotes(msgspec.Struct):
    """All that a salvage must remember when it is interrupted.

    Attributes:
        unsalvaged: Lines that lay in damaged files and have not been found yet. They count as queued until the end.
        known_until_id: The newest row of the queue when the numbers were noted from which ``unsalvaged`` was computed;
            what came later is not part of it. A time would not tell: clocks are set back.
        found: Lines that have been found since the damage.
        lost: Lines that were not found; known at the end.
        copies: Oldest first.
        spans: By source.
    """

    unsalvaged: int = 0
    known_until_id: int = EVER
    found: int = 0
    lost: int = 0
    copies: list[Copy] = []
    spans: dict[str, Span] = {}

    @classmethod
    def load(cls, db: sqlite3.Connection) -> Self:
        """Return what was saved last."""
        row = db.execute(_LOAD, (_KEY,)).fetchone()
        return cls() if row is None else msgspec.json.decode(row[0], type=cls)

    def save(self, db: sqlite3.Connection) -> None:
        """Write all of it, in the transaction that is open."""
        db.execute(_SAVE, (_KEY, msgspec.json.encode(self).decode()))

    def next_copy(self) -> Copy | None:
        """Return the copy that is being salvaged."""
        return next((copy for copy in self.copies if copy.position is not None), None)

    def knows(self, name: str) -> bool:
        """Tell whether the copy has been taken up."""
        return any(copy.name == name for copy in self.copies)

    def account(self, lines: int, row_id: int) -> int:
        """Take found lines off those that are missing; return how many of them were not missed, and so are new.

        Args:
            lines: How many were found.
            row_id: The queue's row that they lay in; 0 for dead letters.
        """
        self.found += lines
        missed = 0 if row_id > self.known_until_id else min(lines, self.unsalvaged)
        self.unsalvaged -= missed
        return lines - missed
