"""Runs a command from its start to its exit code: interruptions stop all in order, errors are told in a sentence."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import NoReturn

from .process import DemoError, Process

INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def watch(*processes: Process) -> None:
    """Raise a DemoError as soon as one of the processes has ended by itself."""
    while True:
        for process in processes:
            process.check()
        await asyncio.sleep(0.5)


def run(command: Callable[[], Coroutine[None, None, bool]]) -> NoReturn:
    """Run ``command`` and exit: 0 when it returned true or was interrupted, else 1."""
    sys.exit(0 if asyncio.run(_guarded(command)) else 1)


async def _guarded(command: Callable[[], Coroutine[None, None, bool]]) -> bool:
    task = asyncio.create_task(command(), name="command")
    for number in INTERRUPTIONS:
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    succeeded = False
    try:
        succeeded = await task
    except* DemoError as group:
        for err in _leaves(group):
            print(f"error: {err}", file=sys.stderr)
    except* asyncio.CancelledError:
        succeeded = True
    return succeeded


def _leaves(group: BaseExceptionGroup) -> list[BaseException]:
    return [
        leaf for err in group.exceptions for leaf in (_leaves(err) if isinstance(err, BaseExceptionGroup) else [err])
    ]
