"""Whether the disk has what is acknowledged before it is acknowledged, seen from the kernel with strace."""

import asyncio
import shutil
import tempfile
import time
from pathlib import Path
from typing import Final

from homeiq_bench.faulty_influx import FaultyInflux
from homeiq_bench.forwarder import Forwarder
from homeiq_bench.numbered import Numbering
from homeiq_bench.report import arguments, finish, say
from homeiq_bench.server import Server, new_token
from homeiq_bench.strace import CALLS, Order, calls
from homeiq_server import VERSION

_SENDERS: Final = 4
_SECONDS, _QUICK_SECONDS = 30, 5


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__ or "")
    if shutil.which("strace") is None:
        say("skipped: strace is not installed, and nothing else sees what a program asks of the kernel, and when")
        finish("fsync", {"skipped": "strace is not installed"}, {"homeiq": VERSION}, check=False)
    seconds = _QUICK_SECONDS if asked.quick else _SECONDS
    with tempfile.TemporaryDirectory() as folder, FaultyInflux(Path(folder) / "influx") as influx:
        options = {"influx_url": influx.url, "influx_token": new_token(), "influx_org": "o", "influx_bucket": "b"}
        server, log = Server(Path(folder) / "server", options), Path(folder) / "strace.log"
        say(f"{_SENDERS} senders for {seconds} s, each waits for its answer before it sends on")
        # The tracer is the child (-D), so that signals reach the server itself; -y tells what a descriptor is.
        server.start("strace", "-D", "-f", "-y", "-s", "48", "-o", str(log), "-e", f"trace={CALLS}")
        try:
            answered = asyncio.run(_send(server, seconds))
        finally:
            server.stop()
        order = Order()
        with log.open(errors="replace") as lines:
            for call in calls(lines):
                order.note(call)
    figures = {
        "acknowledgements": order.acknowledged,
        "acknowledgements_before_the_disk_had_it": len(order.too_early),
        "syncs_of_the_journal": order.syncs,
        "acknowledged_events": answered,
    }
    broken = (
        [f"{len(order.too_early)} answers left too early, such as {order.too_early[:1]}"] if order.too_early else []
    )
    if not order.acknowledged:
        broken.append("no acknowledgement was seen")
    finish("fsync", figures, {"homeiq": VERSION}, check=asked.check, broken=broken)


async def _send(server: Server, seconds: float) -> int:
    """Let all senders send, and return how many events were acknowledged."""
    numbering = Numbering(round(time.time()) * 1_000_000)
    senders = [Forwarder(number, server.port, lambda: server.token, numbering, number) for number in range(_SENDERS)]
    async with asyncio.TaskGroup() as tasks:
        for sender in senders:
            tasks.create_task(sender.run())
        await asyncio.sleep(seconds)
        for sender in senders:
            sender.finish()
    return sum(sender.answered for sender in senders)


if __name__ == "__main__":
    main()
