"""A Mosquitto for the demo's devices, where there is one: everybody on this machine may send to it."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from .configuration import ROOT
from .process import Process, free_port, plain_environment, wait_for

MOSQUITTO = ROOT / ".tools" / "bin" / "mosquitto"
START_S = 30


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker, and its address as the option ``mqtt_url`` has it."""

    process: Process
    url: str


@contextlib.asynccontextmanager
async def open_broker(folder: Path, *, log: Path, program: Path = MOSQUITTO) -> AsyncIterator[Broker | None]:
    """Run a broker on a free port, with its data in ``folder``; None where there is no such program.

    Raises:
        DemoError: It does not start; the text tells what is known of it.
    """
    if not is_there(program):
        yield None
        return
    port = free_port()
    command = [str(program), "-c", str(_configure(folder, port))]
    process = Process("Mosquitto", command, log=log, env=plain_environment())
    try:
        await process.start()
        await wait_for("the broker to listen", lambda: _listens(process, port), deadline_s=START_S)
        yield Broker(process, f"mqtt://127.0.0.1:{port}")
    finally:
        await process.stop()


def is_there(program: Path = MOSQUITTO) -> bool:
    """Tell whether there is a broker to run."""
    return program.exists()


def _configure(folder: Path, port: int) -> Path:
    """Write what it is to do, and return where that stands."""
    lines = [
        f"listener {port} 127.0.0.1",
        "allow_anonymous true",
        "persistence true",
        f"persistence_location {folder}/",
        "max_queued_messages 0",
    ]
    if os.geteuid() == 0:  # it would become another user, who may not write here
        lines.append("user root")
    folder.mkdir(exist_ok=True)
    written = folder / "mosquitto.conf"
    written.write_text("\n".join(lines) + "\n")
    return written


async def _listens(process: Process, port: int) -> bool:
    process.check()
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
