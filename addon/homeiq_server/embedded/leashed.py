"""Starts programs on the leash: they die with the server, and see nothing of its environment that is secret."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from typing import IO, Final

from . import leash
from .account import Account

_PASSED_ON: Final = ("PATH", "TZ", "LANG", "TMPDIR")  # not the rest: it holds the Supervisor's token


async def start(  # noqa: PLR0913 - its three streams are one thing
    command: tuple[str, ...],
    *,
    stop_signal: signal.Signals = signal.SIGTERM,
    account: Account | None = None,
    stdin: int | IO[bytes] = DEVNULL,
    stdout: int | IO[bytes] = DEVNULL,
    stderr: int | IO[bytes] = DEVNULL,
) -> Process:
    """Start the program as the leader of a session of its own: a Ctrl-C in a terminal is for the server alone.

    Args:
        command: The executable's path and its arguments.
        stop_signal: Sent to it when the server dies.
        account: As whom it runs; None: as the server does.
        stdin: Like the following, as for ``subprocess``.
        stdout: The same.
        stderr: The same.

    Raises:
        OSError: There is no process or no memory for it. What else is wrong, the leash says on ``stderr``.
    """
    bare_python = (sys.executable, "-I", "-S", leash.__file__)
    return await asyncio.create_subprocess_exec(
        *bare_python,
        str(int(stop_signal)),
        str(os.getpid()),
        f"{account.uid}:{account.gid}" if account else "-",
        *command,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        cwd="/" if account else None,  # ours may be closed to it
        env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
    )
