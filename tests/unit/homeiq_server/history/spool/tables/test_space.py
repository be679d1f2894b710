"""What the queue takes of the disk, and that it keeps its limit there, whatever the lines are like."""

import random
from pathlib import Path

import pytest

from homeiq_server.errors import RetryLater
from homeiq_server.history.spool.changes.put import Put
from homeiq_server.history.spool.totals import WhenFull
from homeiq_server.model import Lines
from tests.unit.homeiq_server.history.spool.spool_builders import intake, open_file

MEBIBYTE = 1024 * 1024
LIMIT = 4 * MEBIBYTE


def noise(size: int, chance: random.Random) -> Lines:
    """A body of about ``size`` bytes that does not compress, in lines of a kilobyte."""
    count = max(1, size // 1_000)
    body = b"\n".join(chance.randbytes(min(size, 999)).replace(b"\n", b" ") for _ in range(count))
    return Lines(body, count)


@pytest.mark.parametrize("when_full", ["refuse", "drop_oldest"])
@pytest.mark.parametrize(
    ("size", "together", "beyond_mib"),
    [(4_000_000, 2, 16), (500_000, 1, 10), (2_100, 200, 7), (150, 200, 7)],
    ids=["two large requests", "one request", "rows just over half a page", "small rows"],
)
def test_file_and_journal_stay_within_the_limit_and_16_mib(
    tmp_path: Path, when_full: WhenFull, size: int, together: int, beyond_mib: int
) -> None:
    chance = random.Random(3)  # noqa: S311 - what does not compress, no secret
    file = open_file(tmp_path, limit_bytes=LIMIT, when_full=when_full)
    refused = most = 0
    while refused < together and file.totals.lines.dropped.get("overflow", 0) * size < LIMIT // 2:
        bodies = [noise(size, chance) for _ in range(together)]
        # Rows of different channels are never merged.
        group = [intake(None, body=body, count=body.count, channel=f"c{n}") for n, body in enumerate(bodies)]
        outcomes = file.commit([Put(request, "influx") for request in group])
        refused += sum(isinstance(outcome, RetryLater) for outcome in outcomes)
        most = max(most, sum(path.stat().st_size for path in tmp_path.glob("spool.sqlite*")))

    assert file.totals.fill > 0.9
    assert most <= LIMIT + beyond_mib * MEBIBYTE
    assert file.audit() == []
    file.close()
