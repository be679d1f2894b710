"""A node that takes first messages of devices: ``python -m homeiq_bench.provision_node DATABASE_URL FOLDER``.

It has what a server has between a message and its acknowledgement: the decision, the store, the queue on disk. For each
``Order`` on its standard input, a line of JSON, it says ``ready``, waits for a line, takes the messages, each by itself
and all at once, and answers with ``Done``.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from homeiq_server.history.spool import Spool
from homeiq_server.ingest.counts import Counts
from homeiq_server.ingest.gate import Gate
from homeiq_server.ingest.limits import Limits
from homeiq_server.ingest.message import Accepted, Inbound
from homeiq_server.ingest.quarantine import Quarantine
from homeiq_server.store.changes import Changes
from homeiq_server.store.pool import Pool

_LIMITS: Final = Limits(device_rate=100_000, device_burst=100_000, tenant_rate=1_000_000, tenant_burst=1_000_000)
_SPREAD_US: Final = 1_000


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages: one of each device that is named, so often as it is; ``first`` tells their times apart."""

    tenant_id: str
    key: str
    devices: list[str]
    first: int = 0


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What became of them: by reason, with ``ACCEPTED`` and ``new``; the lines in the queue; the seconds."""

    outcomes: dict[str, int]
    points: int
    seconds: float


def main() -> None:
    """Serve until the standard input ends."""
    asyncio.run(_run(sys.argv[1], Path(sys.argv[2])))


async def _run(url: str, folder: Path) -> None:
    async with _node(url, folder) as (gate, spool):
        while line := await asyncio.to_thread(sys.stdin.readline):
            order = msgspec.json.decode(line, type=Order)
            _say("ready")
            await asyncio.to_thread(sys.stdin.readline)
            _say(msgspec.json.encode(await _take(gate, spool, order)).decode())


async def _take(gate: Gate, spool: Spool, order: Order) -> Done:
    before = spool.totals().lines.spooled
    messages = list(_messages(order))
    start = time.perf_counter()
    taken = await asyncio.gather(*(gate.take([message]) for message in messages))
    seconds = time.perf_counter() - start
    outcomes = Counter[str]()
    for (outcome,) in taken:
        if isinstance(outcome, Accepted):
            outcomes["ACCEPTED"] += 1
            outcomes["new"] += outcome.provisioned
        else:
            outcomes[outcome.reason.value] += 1
    return Done(outcomes=dict(outcomes), points=spool.totals().lines.spooled - before, seconds=seconds)


def _messages(order: Order) -> list[Inbound]:
    now_us = time.time_ns() // 1_000
    return [
        Inbound(
            transport="mqtt",
            topic=f"tenant/{order.tenant_id}/device/{device_id}/telemetry",
            payload=msgspec.json.encode(
                {"ts": (now_us - (order.first + number) * _SPREAD_US) / 1e6, "metrics": {"power": number}}
            ),
            token=order.key,
            received_us=now_us,
        )
        for number, device_id in enumerate(order.devices)
    ]


@asynccontextmanager
async def _node(url: str, folder: Path) -> AsyncIterator[tuple[Gate, Spool]]:
    pool = await Pool.open(url)
    spool = await Spool.open(folder / "spool.sqlite", limit_bytes=1024**3)
    changes, counts = Changes(pool), Counts(pool)
    gate = Gate(
        pool,
        spool,
        limits=_LIMITS,
        quarantine=Quarantine(pool, kept=500, days=1),
        counts=counts,
        form=lambda: "victoria",
        changes=changes,
    )
    tasks = [asyncio.create_task(part.run(), name=type(part).__name__) for part in (changes, counts, gate)]
    try:
        yield gate, spool
    finally:
        gate.stop()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await spool.close()
        await pool.close()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
