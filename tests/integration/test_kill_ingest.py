"""The server is killed -9 while devices publish: all that the broker has acknowledged is in the database, once.

What the server had taken is in its queue on disk; what it had not acknowledged, and all that came while it was away,
waits for it at the broker. The same as ``bench/nodes`` does with two servers and more load.
"""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.mosquitto import PROGRAM
from tests.postgres import Cluster

_ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(_ROOT / "bench"), str(_ROOT / "scripts")]

from homeiq_bench import database  # noqa: E402  found through the line above
from homeiq_bench.fleet import Load, connected, running  # noqa: E402
from homeiq_bench.server import Server  # noqa: E402

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not (PROGRAM.exists() and database.PROGRAM.exists()),
        reason="there is no Mosquitto or no victoria-metrics here: scripts/setup brings them",
    ),
]

_RATE = 400
_SECONDS = 5
_KILLS = 2
_DEADLINE_S = 90


async def takes(node: Server, messages: int) -> None:
    """Return when a server has taken so many since it was started."""
    await connected(node, within_s=_DEADLINE_S)
    async with asyncio.timeout(_DEADLINE_S):
        while (await asyncio.to_thread(node.status))["ingest"]["accepted"] < messages:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


async def test_all_that_the_broker_acknowledged_is_stored_once_when_the_server_is_killed(cluster: Cluster) -> None:
    async with running(cluster) as fleet:
        node = await asyncio.to_thread(fleet.add_node)
        publisher = await fleet.publisher("devices")
        load = Load([publisher], await fleet.open_tenant(), devices=20)
        sending = asyncio.create_task(load.send(rate=_RATE, seconds=_SECONDS), name="devices")
        for _ in range(_KILLS):
            await takes(node, 200)
            await asyncio.to_thread(node.kill)
            await asyncio.to_thread(node.start)
        await sending
        found = await fleet.settled(len(load.acknowledged), within_s=_DEADLINE_S)
        await publisher.close()

    assert len(load.acknowledged) == load.sent
    assert load.acknowledged - found.keys() == set()
    assert [number for number, count in found.items() if count > 1] == []
