"""Two nodes with one PostgreSQL, one broker and a shared subscription: how the load is shared, and what a kill costs.

The second part kills one of them -9 under load: all that the broker has acknowledged must be in the database in the
end, each number once, after the killed one was started again for what its queue holds.
"""

import asyncio

from homeiq_bench.fleet import Fleet, Load, connected, running
from homeiq_bench.report import Figure, arguments, finish, say
from homeiq_server import VERSION
from tests import postgres

_RATE = 2_000
_SECONDS, _QUICK_SECONDS = 20, 6
_SETTLE_S = 90


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__ or "")
    seconds = _QUICK_SECONDS if asked.quick else _SECONDS
    with postgres.cluster(durable=True) as cluster:
        figures, broken = asyncio.run(_measure(cluster, seconds))
    finish("nodes", figures, {"homeiq": VERSION}, check=asked.check, broken=broken)


async def _measure(cluster: postgres.Cluster, seconds: float) -> tuple[dict[str, Figure], list[str]]:
    async with running(cluster, mqtt_share="homeiq") as fleet:
        first, second = fleet.add_node(), fleet.add_node()
        key = await fleet.open_tenant()
        for node in (first, second):
            await connected(node)
        load = Load([await fleet.publisher(f"sender-{n}") for n in range(2)], key)
        say(f"two nodes, {_RATE} messages a second for {seconds} s")
        await load.send(rate=_RATE, seconds=seconds)
        await fleet.settled(load.sent, within_s=_SETTLE_S)
        shares = await _shares(fleet)
        say(f"shares: {shares}; now one is killed in the middle of as many")
        sending = asyncio.create_task(load.send(rate=_RATE, seconds=seconds), name="load")
        await asyncio.sleep(seconds / 2)
        await asyncio.to_thread(second.kill)
        await sending
        await asyncio.to_thread(second.start)
        found = await fleet.settled(load.sent, within_s=_SETTLE_S)
        for publisher in load.publishers:
            await publisher.close()
        lost = len(load.acknowledged - found.keys())
        twice = sum(count - 1 for count in found.values())
        figures: dict[str, Figure] = {
            "messages_acknowledged_by_the_broker": len(load.acknowledged),
            "smaller_share_percent": round(100 * min(shares) / max(1, sum(shares)), 1),
            "lost_of_them_after_a_kill": lost,
            "points_shown_twice": twice,
        }
        broken = [f"{lost} messages that the broker had acknowledged are not in the database"] if lost else []
        return figures, broken


async def _shares(fleet: Fleet) -> list[int]:
    return [(await asyncio.to_thread(node.status))["ingest"]["accepted"] for node in fleet.nodes]


if __name__ == "__main__":
    main()
