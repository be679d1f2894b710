"""Small builders for the spool's tests: requests, and a clock that stands where it is put."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from homeiq_server.history.spool.changes import Put
from homeiq_server.history.spool.file import Outcome, SpoolFile
from homeiq_server.model import Gap, Intake, Lines, Position, Receipt, Tally

SECOND_US = 1_000_000
GIBIBYTE = 1024**3


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
    channel: str = "events",
    labels: Mapping[str, bytes] = {},
) -> Intake:
    """A request with ``count`` events, one line each; without a place in a stream when ``seq`` is None."""
    position = Position(source=source, stream=stream, seq=seq or 0, started_us=started_us, gaps=tuple(gaps))
    return Intake(
        channel=channel,
        tally=tally(converted=count),
        lines=lines(count, mark=f"_{stream}_{seq}"),
        position=None if seq is None else position,
        last_us=last_us,
        labels=labels,
    )


def open_file(folder: Path, *, limit_bytes: int = GIBIBYTE, clock: Clock | None = None) -> SpoolFile:
    return SpoolFile(folder / "spool.sqlite", limit_bytes=limit_bytes, clock=clock or Clock())


def commit(file: SpoolFile, *intakes: Intake, form: str = "influx") -> list[Outcome]:
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
