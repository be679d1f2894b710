"""A queue that fills up, as the server's status, metrics, log and database tell of it."""

import logging
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from random import Random

import pytest

from tests.unit.homeiq_server.history.fake_database import FakeDatabase, running
from tests.unit.homeiq_server.server_builders import Client, Json, batch, event, eventually, laws_hold, options, serving

T0 = 1_790_000_000_000_000
MIB = 1024 * 1024


def _noise() -> Iterator[str]:
    """Yield texts of 2 kB that pack as badly as texts may: they are all different."""
    chance = Random(1)  # noqa: S311 - the same in every run
    while True:
        yield "".join(character * 4 for character in chance.randbytes(250).hex())


class Filler:
    """Sends batches that take about as much of the queue as is wanted."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._noise = _noise()
        self._seqs = count(1)
        self.sent = 0

    async def send(self, events: int, texts: int = 1) -> int:
        """Send one batch of events, each with so many texts; return the answer's status."""
        noise = ["".join(next(self._noise) for _ in range(texts)) for _ in range(events)]
        changes = [event(self.sent + n, attributes={"noise": text}) for n, text in enumerate(noise)]
        self.sent += events
        return (await self.client.post(batch(changes, seq=next(self._seqs)))).status

    async def until(self, fill: float) -> None:
        """Send until so much of the queue is taken."""
        while (taken := (await self.client.status())["spool"]["fill"]) < fill:
            assert await self.send(60 if taken < fill - 0.1 else 10) == 200


def _codes(status: Json) -> list[str]:
    return [reason["code"] for reason in status["reasons"]]


def _warnings(caplog: pytest.LogCaptureFixture, words: str) -> int:
    return sum(words in record.message for record in caplog.records if record.levelno == logging.WARNING)


async def test_an_overflow_by_ten_is_counted_logged_once_and_told_to_the_database(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(FakeDatabase()) as database:
        chosen = options(tmp_path, influx_url=database.url, spool_limit_mb=1, when_full="drop_oldest")
        async with serving(chosen) as client:
            await eventually(client.is_ok)
            await database.stop()
            filler = Filler(client)
            await filler.send(10, texts=5)
            await filler.until(0.9)
            while not (status := await client.status())["lines"]["dropped"]:
                assert await filler.send(10) == 200

            assert status["lines"]["dropped_by_reason"] == {"overflow": 10}
            assert (status["status"], _codes(status)[0]) == ("unhealthy", "spool_dropping")
            assert status["spool"]["dropping_since"] is not None
            assert [(gap["reason"], gap["open"]) for gap in status["gaps"]["newest"]] == [("dropped", True)]
            assert 'homeiq_lines_dropped_total{reason="overflow"} 10.0' in (await client.get("/metrics")).body
            assert laws_hold(status)

            await database.start()
            await eventually(partial(_is_calm, client))
            assert _warnings(caplog, "oldest lines are dropped") == 1
            status = await client.status()
            assert status["spool"]["dropping_since"] is None
            assert laws_hold(status)
    (told,) = {line.split(b" ")[0] for line in database.stored if line.startswith(b"homeiq_gap")}
    assert told == b"homeiq_gap,reason=dropped,source=home"


async def _is_calm(client: Client) -> bool:
    status = await client.status()
    return not status["lines"]["queued"] and "spool_dropping" not in _codes(status)


async def test_a_filling_queue_is_warned_of_once_for_each_crossing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(FakeDatabase()) as database:
        chosen = options(tmp_path, influx_url=database.url, spool_limit_mb=1)
        async with serving(chosen) as client:
            await eventually(client.is_ok)
            filler = Filler(client)
            for crossing in (1, 2):
                await database.stop()
                await filler.until(0.78)
                assert _warnings(caplog, "% full of") == crossing - 1
                assert "spool_filling" not in _codes(await client.status())
                await filler.until(0.82)
                await filler.until(0.85)
                assert "spool_filling" in _codes(await client.status())
                assert _warnings(caplog, "% full of") == crossing
                await database.start()
                await eventually(partial(_is_drained, client))
                assert "spool_filling" not in _codes(await client.status())


async def _is_drained(client: Client) -> bool:
    return not (await client.status())["lines"]["queued"]


async def test_each_cause_has_its_reason(tmp_path: Path) -> None:
    """The database away, the queue filling, and full: with the reason in the status, each in words."""
    async with running(FakeDatabase()) as database:
        chosen = options(tmp_path, influx_url=database.url, spool_limit_mb=1)
        async with serving(chosen) as client:
            await eventually(client.is_ok)
            filler = Filler(client)
            await database.stop()
            await filler.send(1)

            async def is_known() -> bool:
                return "database_unreachable" in _codes(await client.status())

            await eventually(is_known)
            await filler.until(0.85)
            assert set(_codes(await client.status())) == {"database_unreachable", "spool_filling"}
            while await filler.send(10) == 200:
                pass
            status = await client.status()
            assert (status["status"], _codes(status)[0]) == ("unhealthy", "spool_full")
            assert "database_unreachable" in _codes(status)
            assert laws_hold(status)
