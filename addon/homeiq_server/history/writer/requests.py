"""What travels in one request, and which row each of its lines came from."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, NamedTuple

from homeiq_server.history.spool import DeadLetter, Row, Settled
from homeiq_server.history.target import Identity

from .isolation import Condemned


class Limits(NamedTuple):
    """How much goes into one request, a single row apart."""

    lines: int
    raw_bytes: int


_LIMITS: Final = Limits(5_000, 2 * 1024 * 1024)
# It answers once its log is on disk, which it waits a second for: at one request a second, larger ones are faster.
_LIMITS_OF_INFLUXDB_3: Final = Limits(10_000, 4 * 1024 * 1024)
_REQUESTS_PER_SECOND: Final = 2


def limits_of(identity: Identity | None, lines_per_second: int) -> Limits:
    """Return the limits for a database: what it digests, but no more than half a second's share of the pace.

    So what is fresh never waits long for a request of the backlog.
    """
    version = identity.version or "" if identity and identity.product.startswith("InfluxDB") else ""
    limits = _LIMITS_OF_INFLUXDB_3 if version.startswith("3.") else _LIMITS
    return limits._replace(lines=max(min(limits.lines, lines_per_second // _REQUESTS_PER_SECOND), 1))


@dataclass(frozen=True, slots=True)
class Part:
    r"""One row and what is sent of it.

    Attributes:
        row: As it lies in the spool.
        stored: Its lines, separated by ``\n``.
        sent: The lines that are sent for them, at least one; other ones when the row was made for another database.
        places: Of each line that is sent, the index of the stored one that it stands for; None: they are the same.
        dropped: By reason: stored lines for which none is sent.
    """

    row: Row
    stored: bytes
    sent: bytes
    places: Sequence[int] | None
    dropped: Mapping[str, int]

    @property
    def count(self) -> int:
        """How many lines are sent."""
        return self.row.count if self.places is None else len(self.places)

    def result(self, condemned: Sequence[Condemned], target: str) -> Settled:
        """Return what becomes of the row; the verdicts speak of the lines that were sent."""
        lines = self.stored.split(b"\n") if condemned else []
        dropped = dict(self.dropped)
        dead: list[DeadLetter] = []
        judged: set[int] = set()
        for verdict in condemned:
            indices = self._stored(verdict.lines, judged)
            judged |= indices
            if verdict.dropped:
                dropped[verdict.reason] = dropped.get(verdict.reason, 0) + len(indices)
            elif indices:
                dead.append(_letter([lines[index] for index in sorted(indices)], verdict, target))
        written = self.row.count - sum(self.dropped.values()) - len(judged)
        return Settled(row_id=self.row.id, written=written, dead=tuple(dead), dropped=dropped)

    def _stored(self, sent: Sequence[int], judged: Collection[int]) -> set[int]:
        """Return the stored lines that some of the sent ones stand for, each once."""
        places = sent if self.places is None else [self.places[index] for index in sent]
        return set(places).difference(judged)


@dataclass(frozen=True, slots=True)
class Request:
    r"""Neighbouring rows of one precision.

    Attributes:
        parts: Oldest first.
        precision: Of the lines' timestamps.
        body: All that is sent, separated by ``\n``.
    """

    parts: tuple[Part, ...]
    precision: str
    body: bytes

    @property
    def count(self) -> int:
        """How many lines are sent."""
        return sum(part.count for part in self.parts)

    def results(self, condemned: Sequence[Condemned], target: str) -> list[Settled]:
        """Return what becomes of each row: all is written but the condemned lines, dead letters of ``target``."""
        ends = accumulate(part.count for part in self.parts)
        return [
            part.result(list(_within(condemned, end - part.count, end)), target)
            for part, end in zip(self.parts, ends, strict=True)
        ]


def _within(condemned: Sequence[Condemned], start: int, end: int) -> Iterator[Condemned]:
    """Yield of each verdict the part about the lines from ``start`` to before ``end``, counted from ``start``."""
    for verdict in condemned:
        if lines := [index - start for index in verdict.lines if start <= index < end]:
            yield Condemned(lines, verdict.reason, verdict.status, verdict.dropped)


def _letter(lines: Sequence[bytes], verdict: Condemned, target: str) -> DeadLetter:
    return DeadLetter(
        line=b"\n".join(lines), count=len(lines), code=verdict.status, reason=verdict.reason, target=target
    )
