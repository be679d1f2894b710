"""A program that is run to its end."""

import os
import signal
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from typing import IO, Final

from homeiq_server.errors import RetryLater

from . import leashed
from .account import Account

_LAST_LINES: Final = 3


async def run(
    *command: str,
    account: Account | None = None,
    stdin: int | IO[bytes] = DEVNULL,
    stdout: int | IO[bytes] = DEVNULL,
) -> None:
    """Run it; cancelled, leave only when its process is gone.

    Raises:
        RetryLater: It failed; with what it said last.
        OSError: It could not be started.
    """
    process = await leashed.start(command, account=account, stdin=stdin, stdout=stdout, stderr=PIPE)
    try:
        _, said = await process.communicate()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with all that it started itself
        await process.wait()
    if process.returncode:
        last = " ".join(said.decode(errors="replace").split("\n")[-_LAST_LINES - 1 :]).strip()
        raise RetryLater(f"{command[0]} ended with exit code {process.returncode}: {last or 'it did not say why'}")
