"""What travels in one request, and which row each of its lines came from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Final

from homeiq_server.errors import Rejected
from homeiq_server.history.spool import DeadLetter, Row, Settled

from .isolation import Condemned

MAX_LINES: Final = 5_000
MAX_BYTES: Final = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    r"""Neighbouring rows of one precision, unpacked.

    Attributes:
        rows: Oldest first.
        precision: Of the lines' timestamps.
        body: The rows' lines, separated by ``\n``.
    """

    rows: tuple[Row, ...]
    precision: str
    body: bytes

    @property
    def count(self) -> int:
        """How many lines."""
        return sum(row.count for row in self.rows)

    def results(self, condemned: Sequence[Condemned], target: str) -> list[Settled]:
        """Return what becomes of each row: all is written but the condemned lines, dead letters of ``target``."""
        lines = self.body.split(b"\n") if condemned else []
        ends = accumulate(row.count for row in self.rows)
        return [
            _result(row, [_letter(lines, part, target) for part in _within(condemned, end - row.count, end)])
            for row, end in zip(self.rows, ends, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Unpacked:
    """Rows, ready to be sent.

    Attributes:
        requests: Oldest first.
        damaged: What becomes of the rows that could not be read back from disk.
    """

    requests: tuple[Request, ...]
    damaged: tuple[Settled, ...]


def unpack(rows: Sequence[Row]) -> Unpacked:
    """Decompress rows and put neighbours of one precision together. Slow: for a thread of its own."""
    bodies: list[tuple[Row, bytes]] = []
    damaged: list[Settled] = []
    for row in rows:
        try:
            bodies.append((row, row.body()))
        except Rejected:
            damaged.append(Settled(row_id=row.id, written=0, dropped={"damage": row.count}))
    together = (list(some) for _, some in groupby(bodies, key=lambda pair: pair[0].precision))
    return Unpacked(tuple(map(_join, together)), tuple(damaged))


def _join(pairs: Sequence[tuple[Row, bytes]]) -> Request:
    rows = tuple(row for row, _ in pairs)
    return Request(rows, rows[0].precision, b"\n".join(body for _, body in pairs))


def _within(condemned: Sequence[Condemned], start: int, end: int) -> Iterator[Condemned]:
    """Return of each verdict the part about the lines from ``start`` to before ``end``."""
    for verdict in condemned:
        if lines := [index for index in verdict.lines if start <= index < end]:
            yield Condemned(lines, verdict.reason, verdict.status)


def _letter(lines: Sequence[bytes], verdict: Condemned, target: str) -> DeadLetter:
    return DeadLetter(
        line=b"\n".join(lines[index] for index in verdict.lines),
        count=len(verdict.lines),
        code=verdict.status,
        reason=verdict.reason,
        target=target,
    )


def _result(row: Row, dead: Sequence[DeadLetter]) -> Settled:
    return Settled(row_id=row.id, written=row.count - sum(letter.count for letter in dead), dead=tuple(dead))
