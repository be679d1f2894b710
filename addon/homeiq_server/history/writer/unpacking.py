"""From rows to requests: what can be read back, what the database keeps, and in the form that it can hold."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from homeiq_server.errors import Rejected
from homeiq_server.history.points.translate import Memory, translate
from homeiq_server.history.spool import Row, Settled
from homeiq_server.history.target import Form, Kept

from .outside import outside
from .requests import Part, Request

DAMAGE: Final = "damage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the database takes.

    Attributes:
        product: Its name.
        form: Which lines it can hold.
        kept: Which times it keeps, counted from ``now_us``.
        now_us: Our clock.
        memory: Of the lines that were translated before.
    """

    product: str
    form: Form
    kept: Kept
    now_us: int
    memory: Memory


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Rows, ready to be sent.

    Attributes:
        requests: Oldest first.
        finished: What becomes of the rows of which nothing is sent.
        dropped: By reason: the lines that are not sent, of all rows.
    """

    requests: tuple[Request, ...]
    finished: tuple[Settled, ...]
    dropped: Counter[str]


def unpack(rows: Sequence[Row], terms: Terms) -> Unpacked:
    """Decompress rows and put neighbours of one precision together. Slow: for a thread of its own."""
    parts = [_part(row, terms) for row in rows]
    finished = [Settled(row_id=part.row.id, written=0, dropped=dict(part.dropped)) for part in parts if not part.sent]
    together = (tuple(some) for _, some in groupby(filter(lambda part: part.sent, parts), _precision))
    dropped: Counter[str] = Counter()
    for part in parts:
        dropped.update(part.dropped)
    return Unpacked(tuple(map(_join, together)), tuple(finished), dropped)


def _part(row: Row, terms: Terms) -> Part:
    try:
        stored = row.body()
    except Rejected:
        return Part(row, b"", b"", (), {DAMAGE: row.count})
    if stored.count(b"\n") + 1 != row.count:  # then nobody can tell which line is whose
        return Part(row, b"", b"", (), {DAMAGE: row.count})
    whole = Part(row, stored, stored, None, {})
    if row.form == terms.form and terms.kept == Kept():
        return whole
    lines = stored.split(b"\n")
    lost = outside(lines, precision=row.precision, kept=terms.kept, now_us=terms.now_us)
    if row.form == terms.form:
        return _sent(row, stored, lines, lost) if lost else whole
    translated = translate(lines, to=terms.form, precision=row.precision, memory=terms.memory)
    no_place = f"not storable in {terms.product}"
    lost = {index: no_place for index, line in enumerate(translated) if not line} | lost
    return _sent(row, stored, translated, lost)


def _sent(row: Row, stored: bytes, lines: Sequence[bytes], lost: dict[int, str]) -> Part:
    """Return a part that sends all but the lost lines; each may stand for several."""
    kept = [(index, line) for index, line in enumerate(lines) if index not in lost]
    places = [index for index, line in kept for _ in range(line.count(b"\n") + 1)]
    return Part(row, stored, b"\n".join(line for _, line in kept), places, Counter(lost.values()))


def _join(parts: tuple[Part, ...]) -> Request:
    return Request(parts, _precision(parts[0]), b"\n".join(part.sent for part in parts))


def _precision(part: Part) -> str:
    return part.row.precision
