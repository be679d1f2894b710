"""Small builders for the spool's tests: requests, and a clock that stands where it is put."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from homeiq_server.history.spool.changes.change import Change
from homeiq_server.history.spool.changes.put import Put
from homeiq_server.history.spool.changes.settle import Settle
from homeiq_server.history.spool.file import SpoolFile
from homeiq_server.history.spool.room import Reserve
from homeiq_server.history.spool.rows import DeadLetter, Row, Settled
from homeiq_server.history.spool.totals import WhenFull
from homeiq_server.model import Gap, Intake, Labels, Lines, Position, Receipt, Tally

SECOND_US = 1_000_000
GIBIBYTE = 1024**3
NO_RESERVE = Reserve(ballast_bytes=0, floor_bytes=0)


class Clock:
    def __init__(self) -> None:
        self.now_us = 1_000_000 * SECOND_US

    def __call__(self) -> int:
        return self.now_us


def lines(count: int, *, mark: object = "", precision: str = "us") -> Lines:
    return Lines(b"\n".join(f"m{mark} v={n}.0 {n}".encode() for n in range(count)), count, precision)


def tally(*, converted: int, skipped: Mapping[str, int] = {}, rejected: Mapping[str, int] = {}) -> Tally:
    received = converted + sum(skipped.values()) + sum(rejected.values())
    return Tally(received=received, converted=converted, skipped=skipped, rejected=rejected)


def intake(  # noqa: PLR0913 - a test names only the parts that it is about
    seq: int | None = 1,
    *,
    source: str = "home",
    stream: str = "s",
    count: int = 3,
    started_us: int | None = None,
    last_us: int | None = None,
    gaps: Sequence[Gap] = (),
    body: Lines | None = None,
    channel: str = "events",
    labels: Mapping[str, bytes] = {},
) -> Intake:
    """A request with ``count`` events, one line each; without a place in a stream when ``seq`` is None."""
    position = Position(source=source, stream=stream, seq=seq or 0, started_us=started_us, gaps=tuple(gaps))
    return Intake(
        channel=channel,
        tally=tally(converted=count),
        lines=body or lines(count, mark=f"_{stream}_{seq}"),
        position=None if seq is None else position,
        last_us=last_us,
        labels=labels,
    )


def open_file(
    folder: Path,
    *,
    limit_bytes: int = GIBIBYTE,
    when_full: WhenFull = "refuse",
    reserve: Reserve = NO_RESERVE,
    clock: Clock | None = None,
) -> SpoolFile:
    path = folder / "spool.sqlite"
    return SpoolFile(path, limit_bytes=limit_bytes, when_full=when_full, reserve=reserve, clock=clock or Clock())


def commit(file: SpoolFile, *intakes: Intake, form: str = "influx") -> list[Any]:
    """Store the requests in one transaction, and prove that all numbers add up afterwards."""
    outcomes = file.commit([Put(request, form) for request in intakes])
    assert file.audit() == []
    return outcomes


def put(file: SpoolFile, request: Intake) -> Receipt:
    (outcome,) = commit(file, request)
    if isinstance(outcome, Exception):
        raise outcome
    assert isinstance(outcome, Receipt)
    return outcome


def make[Answer](file: SpoolFile, change: Change[Answer]) -> Answer:
    """Make one change, and prove that all numbers add up afterwards."""
    (outcome,) = file.commit([change])
    assert file.audit() == []
    if isinstance(outcome, Exception):
        raise outcome
    answer: Answer = outcome
    return answer


def take(file: SpoolFile, *, after: int = 0, up_to: int | None = None, channel: str | None = None) -> list[Row]:
    rows = file.take(after=after, max_lines=10**9, max_bytes=10**9, up_to=up_to)
    return [row for row in rows if channel in {None, row.channel}]


def bury(file: SpoolFile, *letters: DeadLetter) -> None:
    """Let all that is queued become dead letters; there must be one letter for each row."""
    results = [
        Settled(row_id=row.id, written=row.count - 1, dead=(letter,))
        for row, letter in zip(take(file), letters, strict=True)
    ]
    make(file, Settle(tuple(results)))


def letter(
    line: bytes = b"m v=1.0 1", *, count: int = 1, reason: str = "field type conflict", target: str = "influx"
) -> DeadLetter:
    return DeadLetter(line=line, count=count, code=400, reason=reason, target=target)


def labels(file: SpoolFile, source: str) -> dict[str, Labels]:
    return file.read(lambda tables: tables.labels.read(source))
