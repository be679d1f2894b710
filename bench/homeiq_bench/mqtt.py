"""Messages of devices over MQTT, QoS 1, acknowledged after the commit: flat out, paced, and while the server is killed.

The real server with a real Mosquitto, a PostgreSQL that waits for its disk, and a VictoriaMetrics. Flat out, the broker
is given everything at once and the server takes it from its queue; paced, the CPU is that of the server's process. In
the last part the server is killed -9 again and again: what the broker had acknowledged must be in the database in the
end, each number once.
"""

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import psutil

from homeiq_bench.fleet import METRIC, Fleet, connected, running
from homeiq_bench.report import Figure, arguments, finish, say
from homeiq_bench.server import Server
from homeiq_server import VERSION
from tests import postgres
from tests.mqtt_sender import Sender

_FLAT_OUT, _QUICK_FLAT_OUT = 80_000, 20_000
_ROUNDS: Final = 3
_RATE: Final = 5_000
_PACED_S, _QUICK_PACED_S = 20.0, 6.0
_KILLS, _QUICK_KILLS = 10, 2
_KILL_RATE: Final = 2_000
_KILL_EVERY_S: Final = 3.0
_SENDERS: Final = 4
_DEVICES: Final = 500
_STEP_S: Final = 0.005
_LOOK_S: Final = 0.2
_SETTLE_S: Final = 120.0


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__ or "")
    with postgres.cluster(durable=True) as cluster:
        figures, broken = asyncio.run(_measure(cluster, quick=asked.quick))
    finish("mqtt", figures, {"homeiq": VERSION}, check=asked.check, broken=broken)


@dataclass(slots=True)
class _Devices:
    """Devices that send numbers, each number once.

    Attributes:
        sent: How many numbers were sent; all of them are known to be with the broker after ``settled``.
    """

    senders: list[Sender]
    key: str
    sent: int = 0
    _first_ms: int = field(default_factory=lambda: round(time.time() * 1000) - 3_600_000)

    async def send(self, count: int) -> None:
        """Send so many, as fast as the broker takes them; it may not have acknowledged the last ones yet."""
        numbers = range(self.sent, self.sent + count)
        self.sent += count
        async with asyncio.TaskGroup() as tasks:
            for index, sender in enumerate(self.senders):
                tasks.create_task(self._send(sender, numbers[index :: len(self.senders)]), name="sender")

    async def _send(self, sender: Sender, numbers: range) -> None:
        for number in numbers:
            # Of one device never two within a millisecond, which is all that the database keeps apart.
            at_ms = self._first_ms + number // _DEVICES
            payload = b'{"ts":%d,"metrics":{"%s":%d}}' % (at_ms, METRIC.encode(), number)
            topic = f"tenant/home/device/d{number % _DEVICES}/telemetry"
            await sender.publish(topic, payload, token=self.key)

    async def paced(self, rate: float, seconds: float) -> None:
        """Send so many a second for so long."""
        began, first = time.monotonic(), self.sent
        while (passed := time.monotonic() - began) < seconds:
            if (due := int(rate * passed) - (self.sent - first)) > 0:
                await self.send(due)
            await asyncio.sleep(_STEP_S)

    async def settled(self) -> None:
        """Return when the broker has acknowledged everything."""
        for sender in self.senders:
            await sender.sent()


async def _measure(cluster: postgres.Cluster, *, quick: bool) -> tuple[dict[str, Figure], list[str]]:
    async with running(cluster) as fleet:
        # Without the limit on its queue, as the documentation asks for.
        await fleet.broker.stop()
        fleet.broker.settings |= {"max_queued_messages": "0"}
        await fleet.broker.start()
        node = fleet.add_node()
        devices = _Devices([], await fleet.open_tenant())
        devices.senders = [await Sender.connect(fleet.broker.port) for _ in range(_SENDERS)]
        await devices.send(_DEVICES)  # registers them
        await _accepted(node, devices.sent)
        rates = [await _flat_out(node, devices, _QUICK_FLAT_OUT if quick else _FLAT_OUT) for _ in range(_ROUNDS)]
        paced = await _paced(fleet, node, devices, _QUICK_PACED_S if quick else _PACED_S)
        killed = await _through_kills(fleet, node, devices, _QUICK_KILLS if quick else _KILLS)
        for sender in devices.senders:
            await sender.close()
    figures: dict[str, Figure] = {
        "messages_per_s": round(statistics.median(rates)),
        "messages_per_s_spread": [round(min(rates)), round(max(rates))],
        **paced,
        **killed,
    }
    broken = [f"{figures[name]} {name}" for name in ("lost_messages", "points_shown_twice") if figures[name]]
    return figures, broken


async def _flat_out(node: Server, devices: _Devices, count: int) -> float:
    """Return messages a second, from the first until the last is acknowledged by the server."""
    began = time.monotonic()
    sending = asyncio.create_task(devices.send(count), name="devices")
    await _accepted(node, devices.sent + count)
    rate = count / (time.monotonic() - began)
    await sending
    say(f"flat out: {rate:,.0f} messages a second")
    return rate


async def _paced(fleet: Fleet, node: Server, devices: _Devices, seconds: float) -> dict[str, Figure]:
    process = psutil.Process(node.pid)
    before, broker_before, began = _cpu_s(process), fleet.broker.cpu_s, time.monotonic()
    most_held = 0

    async def watch() -> None:
        nonlocal most_held
        while True:
            status = await asyncio.to_thread(node.status)
            most_held = max(most_held, status["ingest"]["mqtt"]["held"])
            await asyncio.sleep(1)

    watching = asyncio.create_task(watch(), name="watch")
    await devices.paced(_RATE, seconds)
    await _accepted(node, devices.sent)
    watching.cancel()
    await asyncio.wait((watching,))
    passed = time.monotonic() - began
    share = 100 * (_cpu_s(process) - before) / passed
    say(f"at {_RATE} a second: {share:.1f} % of a core, at most {most_held} held")
    return {
        "messages_per_s_paced": round(_RATE * seconds / passed),
        "cpu_percent_of_a_core_paced": round(share, 1),
        "broker_cpu_percent_of_a_core_paced": round(100 * (fleet.broker.cpu_s - broker_before) / passed, 1),
        "most_held_paced": most_held,
    }


async def _through_kills(fleet: Fleet, node: Server, devices: _Devices, kills: int) -> dict[str, Figure]:
    say(f"{kills} times killed -9 at {_KILL_RATE} messages a second")
    sending = asyncio.create_task(devices.paced(_KILL_RATE, kills * _KILL_EVERY_S), name="devices")
    for _ in range(kills):
        await asyncio.sleep(_KILL_EVERY_S / 2)
        await asyncio.to_thread(node.kill)
        await asyncio.to_thread(node.start)
        await connected(node)
    await sending
    await devices.settled()
    found = await fleet.settled(devices.sent, within_s=_SETTLE_S)
    status = await asyncio.to_thread(node.status)
    return {
        "kills": kills,
        "messages_acknowledged_by_the_broker": devices.sent,
        "lost_messages": devices.sent - len(found),
        "points_shown_twice": sum(count - 1 for count in found.values()),
        "forced_reconnects": status["ingest"]["mqtt"]["forced_reconnects"],
    }


async def _accepted(node: Server, count: int) -> None:
    """Return when the server has accepted so many, and the broker knows."""

    def all_taken(status: dict[str, Any]) -> bool:
        return bool(status["ingest"]["accepted"] >= count and status["ingest"]["mqtt"]["held"] == 0)

    await _until(node, all_taken)


async def _until(node: Server, what: Callable[[dict[str, Any]], bool]) -> None:
    deadline = time.monotonic() + _SETTLE_S
    while not what(status := await asyncio.to_thread(node.status)):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the server does not keep up: {status['ingest']}; its own words:\n{node.tail()}")
        await asyncio.sleep(_LOOK_S)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
