"""What a new file knows of the one before it, from its first transaction on: numbers, streams, sources and gaps.

The numbers come from the newest of three places: the memory of the server that met the damage, the damaged file's own
table of counters if all of it can be read, the sidecar. The first two are exact. The sidecar may be some seconds older
than the damage, so the laws are kept by these definitions:

- ``spooled``, ``written``, ``dropped`` and every count of the intake stay what the source of the numbers says. What
  came after it was noted was counted by nobody who can still be asked, and is missing on both sides of each law.
- The lines that must lie in the damaged file, ``unsalvaged = spooled - written - dropped``, stay counted as queued
  until the salvage has found them, as a row or as a dead letter, or is at its end; what is then left is dropped for
  ``damage``. So both laws hold at every commit between, and no counter ever falls.
- A found line whose row came after the numbers were noted, or that goes beyond ``unsalvaged``, counts as spooled
  anew. Lines that were written after the numbers were noted are counted as dropped, though the database has them: of
  two wrong numbers the one that hides no loss.

A file that opens well but is behind its sidecar has lost commits: somebody has taken its journal away, or put an old
copy in its place. What the sidecar knows to have been spooled since and not written since is dropped for ``damage``,
and what the file holds beyond that is sent, and so spooled, once more.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from homeiq_server.history.spool.connection import blank
from homeiq_server.history.spool.tables.counters import LINES
from homeiq_server.history.spool.tables.group import Bounds
from homeiq_server.history.spool.tables.salvage_notes import EVER, Copy, SalvageNotes, Span
from homeiq_server.history.spool.tables.shape import Shape
from homeiq_server.history.spool.tables.tables import Tables
from homeiq_server.history.spool.totals import Totals

from .carving import Carver
from .sidecar import Known, Noted

ALL_ROOTS: Final = "SELECT name, rootpage FROM sqlite_schema WHERE type = 'table'"
_CARRIED: Final = ("streams", "sources", "gaps")
_SET_COUNT = "INSERT OR REPLACE INTO counters (scope, name, reason, n) VALUES (?, ?, ?, ?)"
_SET_SERVER_ID = "UPDATE meta SET value = ? WHERE key = 'server_id'"
_SET_SEQUENCE = "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)"
_SOURCES = "SELECT source, covered_us, whole_us FROM sources"
_REACH = """
    INSERT INTO sources (source, covered_us, whole_us, first_us, seen_us)
         VALUES (?1, ?2, ?3, ?4, ?4)
    ON CONFLICT (source)
      DO UPDATE SET whole_us = max(ifnull(whole_us, excluded.whole_us), ifnull(excluded.whole_us, whole_us)),
                    seen_us = max(seen_us, excluded.seen_us)
"""


def carve(db: sqlite3.Connection, copy: Path) -> Carver:
    """Open a damaged copy; ``db`` knows where its tables begin, if it does not tell itself."""
    return Carver(copy, dict(db.execute(ALL_ROOTS)))


def adopt(db: sqlite3.Connection, copy: Path, noted: Noted | None, *, is_exact: bool, is_done: bool) -> None:
    """Take over what a new file must know of a damaged one before it accepts anything.

    A file that has numbers of its own has only the copy's rows still to come.

    Args:
        db: The new file's connection, in a transaction.
        copy: The damaged file.
        noted: The numbers from memory or sidecar.
        is_exact: They are of the damaged file's last commit.
        is_done: The copy has been salvaged, and only the file has forgotten that.

    Raises:
        sqlite3.Error: The new file fails.
    """
    notes = SalvageNotes.load(db)
    notes.copies.append(Copy(copy.name, None if is_done else 0))
    if is_done or db.execute("SELECT count(*) FROM counters").fetchone()[0]:
        notes.save(db)
        return
    with carve(db, copy) as carver:
        found = _found(db, carver)
        base = noted if found is None or is_exact or (noted is not None and found.is_behind(noted)) else found
        for table in _CARRIED:
            for row in carried(db, carver, table):
                Shape.of(db, table).insert(db, row)
        _set_sequences(db, carver, noted)
    _take_numbers(db, notes, base, server_id=_server_id(noted, found))
    if is_exact:
        notes.known_until_id = EVER
    if noted is not None:
        _reach(db, noted.sources)
    notes.spans = _spans(db, {} if noted is None else noted.sources)
    notes.save(db)


def carried(db: sqlite3.Connection, carver: Carver, table: str) -> Iterator[dict[str, Any]]:
    """Yield all rows of a table that can be read."""
    shape = Shape.of(db, table)
    for page in carver.pages(table):
        for found in carver.rows(page):
            if found is not None and (row := shape.fit(*found)) is not None:
                yield row


def catch_up(db: sqlite3.Connection, file: Noted, noted: Noted, *, held: int) -> int:
    """Let a file that is behind its sidecar know what the sidecar knows; return the lines that are lost.

    Args:
        db: The file's connection, in a transaction.
        file: What the file says.
        noted: What the sidecar says.
        held: The lines that the file holds.
    """
    settled = noted.settled() - file.settled()
    came = noted.total(LINES, "spooled") - file.total(LINES, "spooled")
    lost = max(0, came - max(0, settled - held))
    counts = noted.by_key()
    counts[LINES, "dropped", "damage"] = counts.get((LINES, "dropped", "damage"), 0) + lost
    counts[LINES, "spooled", ""] = noted.settled() + lost + held
    db.executemany(_SET_COUNT, [(*key, n) for key, n in counts.items()])
    db.execute(_SET_SERVER_ID, (noted.server_id,))
    _reach(db, noted.sources)
    return lost


def remembered(noted: Noted, bounds: Bounds) -> Totals:
    """Return totals for a spool that cannot be opened for now: what has not left it is queued."""
    db = blank()
    try:
        notes = SalvageNotes()
        db.execute("INSERT INTO meta (key, value) VALUES ('server_id', '')")
        _take_numbers(db, notes, noted, server_id=None)
        notes.save(db)
        return Tables(db, bounds).totals()
    finally:
        db.close()


def _found(db: sqlite3.Connection, carver: Carver) -> Noted | None:
    """Return the numbers that the damaged file itself tells; None when they cannot be trusted."""
    counts = {(row["scope"], row["name"], row["reason"]): row["n"] for row in carried(db, carver, "counters")}
    ids = [row["value"] for row in carried(db, carver, "meta") if row["key"] == "server_id"]
    noted = Noted(
        server_id=ids[0] if ids else "",
        last_row_id=EVER,
        counts=tuple((*key, n) for key, n in counts.items() if n > 0),
    )
    return noted if carver.is_whole("counters") and counts and noted.is_sound() else None


def _server_id(noted: Noted | None, found: Noted | None) -> str | None:
    ids = [one.server_id for one in (noted, found) if one is not None and one.server_id]
    return ids[0] if ids else None


def _take_numbers(db: sqlite3.Connection, notes: SalvageNotes, base: Noted | None, *, server_id: str | None) -> None:
    if server_id is not None:
        db.execute(_SET_SERVER_ID, (server_id,))
    if base is not None:
        db.executemany(_SET_COUNT, base.counts)
        notes.unsalvaged = base.total(LINES, "spooled") - base.settled()
        notes.known_until_id = base.last_row_id


def _set_sequences(db: sqlite3.Connection, carver: Carver, noted: Noted | None) -> None:
    """Let no id be used a second time: the writer and the page remember ids of the damaged file."""
    last = {row["name"]: row["seq"] for row in carried(db, carver, "sqlite_sequence")}
    last["queue"] = max(last.get("queue", 0), 0 if noted is None else noted.last_row_id)
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE sql LIKE '%AUTOINCREMENT%'")}
    db.execute("DELETE FROM sqlite_sequence")
    db.executemany(_SET_SEQUENCE, [(name, seq) for name, seq in last.items() if name in tables])


def _reach(db: sqlite3.Connection, sources: dict[str, Known]) -> None:
    """Let no source be behind what was noted of it."""
    values = [(source, known.covered_us, known.whole_us, known.seen_us) for source, known in sources.items()]
    db.executemany(_REACH, values)


def _spans(db: sqlite3.Connection, sources: dict[str, Known]) -> dict[str, Span]:
    spans = {}
    for source, covered_us, whole_us in db.execute(_SOURCES):
        known = sources.get(source)
        written_us = known.written_us if known else None
        spans[source] = Span(whole_us=covered_us if written_us is None else written_us, until_us=whole_us)
    return spans
