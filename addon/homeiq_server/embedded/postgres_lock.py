"""Whether a PostgreSQL still runs on a data folder, and the locks of one that does not.

``postmaster.pid`` holds a pid only. After a restart of a container another process of ours may have that pid, and
PostgreSQL would refuse to start for ever.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from homeiq_server.errors import Misconfigured, RetryLater

from .pid_file import ProcessId
from .postgres_settings import socket_in

_LOGGER = logging.getLogger(__name__)
_LOOK_EVERY_S: Final = 0.05
_LEAVE_WITHIN_S: Final = 2  # a backend sees that its server died when it next waits for something


async def unlock(folder: Path, sockets: Path) -> None:
    """Remove the locks that a dead server left behind, once its last backend is gone.

    Raises:
        Misconfigured: A server that is not ours runs on the folder.
        RetryLater: A backend does not go.
    """
    lock = folder / "postmaster.pid"
    holder = _pid_in(lock)
    if holder is not None and ProcessId.of(holder) and holder in _running_in(folder):
        raise Misconfigured(f"another PostgreSQL (process {holder}) runs on {folder}: stop that one")
    await _left_by_all(folder)
    socket = socket_in(sockets)
    for path in (lock, socket, socket.with_name(f"{socket.name}.lock")):
        path.unlink(missing_ok=True)


async def _left_by_all(folder: Path) -> None:
    left = [process for pid in _running_in(folder) if (process := ProcessId.of(pid))]
    if await _gone(left):
        return
    for process in left:
        _LOGGER.warning("ending process %d of a PostgreSQL that died", process.pid)
        process.send(signal.SIGQUIT)
    if not await _gone(left):
        raise RetryLater(f"processes of a PostgreSQL that died still use {folder}")


async def _gone(processes: list[ProcessId]) -> bool:
    """Wait until they are gone; False when they take too long."""
    try:
        async with asyncio.timeout(_LEAVE_WITHIN_S):
            while any(process.alive for process in processes):  # noqa: ASYNC110 - no children of ours: no event tells
                await asyncio.sleep(_LOOK_EVERY_S)
    except TimeoutError:
        return False
    return True


def _pid_in(lock: Path) -> int | None:
    try:
        return int(lock.read_bytes().split(b"\n")[0])
    except FileNotFoundError, ValueError:
        return None


def _running_in(folder: Path) -> set[int]:
    """Return the processes of a PostgreSQL on the folder: it is the working folder of each."""
    return set(_with_working_folder(os.path.realpath(folder)))


def _with_working_folder(folder: str) -> Iterator[int]:
    for process in Path("/proc").iterdir():
        # Those that end meanwhile, and those of others, who cannot be on a folder of ours.
        with suppress(OSError):
            if process.name.isdigit() and str((process / "cwd").readlink()) == folder and _is_postgres(process):
                yield int(process.name)


def _is_postgres(process: Path) -> bool:
    return (process / "comm").read_bytes().strip() == b"postgres"
