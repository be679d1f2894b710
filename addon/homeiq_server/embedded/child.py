"""One child process under supervision: started, watched, started again when it ends, stopped in order."""

import asyncio
import logging
import os
import signal
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, NoReturn

from homeiq_server.errors import HomeIQError

from . import leashed
from .account import Account
from .child_log import ChildLog, ParseLine
from .pid_file import PidFile

_LOGGER = logging.getLogger(__name__)
_ASK_EVERY_S: Final = 0.1
_STEADY_S: Final = 60  # having run so long, an end is no further failure of the same kind
_LAST_LINES_S: Final = 1  # a grandchild that outlives its parent may hold the pipe for ever


class State(StrEnum):
    """Where a child stands."""

    STARTING = "starting"  # it has not yet said that it is ready
    RUNNING = "running"
    WAITING = "waiting"  # it ended; the next start comes after a pause
    STOPPED = "stopped"  # not started yet, or stopped for good


class _Ended(HomeIQError):
    """The child ended, or could not be started; the text says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run and how to treat it.

    Attributes:
        name: For people; the log and the errors use it.
        command: The executable's path and its arguments.
        folder: Its data, held by one process at a time; made when missing. A file beside it notes by which.
        ready: Whether it serves by now; asked ten times a second. What it raises ends the program, to be tried again.
        parse: Reads a line of its log.
        prepare: Awaited before each start, when no process of ours holds the folder. What it raises puts the start off.
        account: As whom it runs; None: as the server does.
        ready_within_s: Killed and started again when not ready by then.
        stop_signal: Asks it to stop in order; also sent when the server dies.
        grace_s: Killed when still there so long after ``stop_signal``.
        pause_s: The wait before the next start; doubles with each failure in a row up to ``longest_pause_s``.
        longest_pause_s: The most that ``pause_s`` grows to.
    """

    name: str
    command: tuple[str, ...]
    folder: Path
    ready: Callable[[], Awaitable[bool]]
    parse: ParseLine
    prepare: Callable[[], Awaitable[None]] | None = None
    account: Account | None = None
    ready_within_s: float = 120
    stop_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 6
    pause_s: float = 1
    longest_pause_s: float = 30


class Child:
    """Keeps a program running.

    Attributes:
        state: Where it stands now.
        error: Why it does not run, or None while it does.
        generation: How many times it was started; what it held in memory is lost when this changes.
        pid: Of the process, or None.
    """

    def __init__(self, program: Program) -> None:
        self.state = State.STOPPED
        self.error: str | None = None
        self.generation = 0
        self.pid: int | None = None
        self._program = program
        self._pid_file = PidFile(program.folder.with_suffix(".pid"))
        self._running = asyncio.Event()
        self._failures = 0
        self._failing_since: float | None = None
        self._running_since: float | None = None

    async def ready(self) -> None:
        """Return once it is running; waits as long as that takes."""
        await self._running.wait()

    async def run(self) -> None:
        """Keep the program running until cancelled; leave only when its process is gone.

        Run it in an outer ``TaskGroup`` of those who use the program, so that they stop first.
        """
        try:
            while True:
                try:
                    await self._live()
                except* (HomeIQError, OSError) as group:  # OSError: no process, no disk
                    self._failed(group.exceptions[0])
                await asyncio.sleep(self._pause())
        finally:
            self.state = State.STOPPED

    async def _live(self) -> NoReturn:
        """Run the program once, from its start to its end.

        Raises:
            OSError: It could not be started.
            HomeIQError: It may not run, or it ended.
        """
        self.state = State.STARTING
        self._program.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        await self._pid_file.evict(self._program.stop_signal, grace_s=self._program.grace_s)
        if self._program.prepare:
            await self._program.prepare()
        process = await self._start()
        log = ChildLog(_LOGGER.getChild(self._program.name), self._program.parse)
        async with asyncio.TaskGroup() as tasks:
            forwarding = tasks.create_task(log.forward(process.stdout), name=f"{self._program.name} log")
            try:
                self._pid_file.write(process.pid)
                in_time = await self._until_ready(process)
                if in_time and process.returncode is None:
                    self._begins(process)
                    await process.wait()
            finally:
                await self._end(process)
                await asyncio.wait((forwarding,), timeout=_LAST_LINES_S)
                forwarding.cancel()
                process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001 - the pipe, if somebody else holds it
        raise _Ended(self._how_it_ended(process, log, in_time=in_time))

    async def _start(self) -> Process:
        program = self._program
        process = await leashed.start(
            program.command, stop_signal=program.stop_signal, account=program.account, stdout=PIPE, stderr=STDOUT
        )
        self.generation += 1
        self.pid = process.pid
        return process

    async def _until_ready(self, process: Process) -> bool:
        """Return True once it is ready or has ended, False when the time for it is over."""
        try:
            async with asyncio.timeout(self._program.ready_within_s):
                while process.returncode is None and not await self._program.ready():  # noqa: ASYNC110 - no event tells
                    await asyncio.sleep(_ASK_EVERY_S)
        except TimeoutError:
            return False
        return True

    def _begins(self, process: Process) -> None:
        self.state, self.error = State.RUNNING, None
        self._running.set()
        self._running_since = time.monotonic()
        if self._failing_since is None:
            _LOGGER.info("%s runs (process %d)", self._program.name, process.pid)
            return
        away_s = self._running_since - self._failing_since
        _LOGGER.info("%s runs again after %.0f s (process %d)", self._program.name, away_s, process.pid)
        self._failing_since = None

    async def _end(self, process: Process) -> None:
        """Stop it in order, or by force after the grace; a second cancellation forces it at once."""
        self._running.clear()
        try:
            if process.returncode is None:
                process.send_signal(self._program.stop_signal)
                async with asyncio.timeout(self._program.grace_s):
                    await process.wait()
        except TimeoutError:
            _LOGGER.warning("%s did not stop within %g s: killed", self._program.name, self._program.grace_s)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with all that it started itself
            await process.wait()
            self.pid = None
            self._pid_file.clear()

    def _how_it_ended(self, process: Process, log: ChildLog, *, in_time: bool) -> str:
        if not in_time:
            how = f"was not ready within {self._program.ready_within_s:g} s"
        elif (code := process.returncode or 0) < 0:
            how = f"was ended by signal {-code} ({signal.strsignal(-code)})"
        else:
            how = f"ended with exit code {code}"
        return f"{self._program.name} {how}" + (f": {log.last_error}" if log.last_error else "")

    def _failed(self, err: Exception) -> None:
        self.state, self.error = State.WAITING, str(err)
        now = time.monotonic()
        if self._running_since is not None and now - self._running_since > _STEADY_S:
            self._failures = 0
        self._running_since = None
        self._failures += 1
        if self._failing_since is None:
            self._failing_since = now
            _LOGGER.warning("%s; starting it again in %g s", err, self._pause())

    def _pause(self) -> float:
        doubled = self._program.pause_s * 2.0 ** min(self._failures - 1, 20)
        return min(doubled, self._program.longest_pause_s)
