"""Which process runs on a data folder, and on whose behalf, kept in a file beside it.

A pid alone may have been given to another process since; with the process's start time (``proc_pid_stat(5)``, field 22)
it names one process only.
"""

import asyncio
import logging
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec

from homeiq_server.errors import Misconfigured

_LOGGER = logging.getLogger(__name__)
_LOOK_EVERY_S = 0.05


class ProcessId(msgspec.Struct, frozen=True):
    """One process, now and for ever: its pid and its start, in clock ticks since boot."""

    pid: int
    start: int

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """Return the process that has this pid now, or None when there is none (a zombie is none)."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_bytes()
        except FileNotFoundError, ProcessLookupError:
            return None
        fields = stat[stat.rindex(b")") + 2 :].split()  # the name before may hold blanks and parentheses
        return None if fields[0] in b"ZX" else cls(pid, int(fields[19]))

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return ProcessId.of(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Signal it, if it still runs."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.alive:
                signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            pass
        finally:
            os.close(descriptor)


class _Holding(msgspec.Struct, frozen=True):
    """The file's content, as JSON: who holds the folder, and which server started it."""

    holder: ProcessId
    server: ProcessId


@dataclass(frozen=True, slots=True)
class PidFile:
    """The file; at most one process of ours holds the folder that it stands for."""

    path: Path

    def write(self, holder: int) -> None:
        """Note that the process ``holder`` holds the folder for this server; without disk it does without."""
        held_by, server = ProcessId.of(holder), ProcessId.of(os.getpid())
        if held_by is None or server is None:
            return  # it has ended already
        new = self.path.with_suffix(".new")
        try:
            new.write_bytes(msgspec.json.encode(_Holding(held_by, server)))
            new.replace(self.path)
        except OSError as err:
            _LOGGER.warning("%s cannot be written: %s", self.path, err.strerror)

    def clear(self) -> None:
        """Note that nobody holds the folder any more."""
        with suppress(OSError):  # what it says is no longer true, and seen to be
            self.path.unlink(missing_ok=True)

    async def evict(self, stop: signal.Signals, *, grace_s: float) -> None:
        """End the process that an earlier server left behind, in order if it goes within ``grace_s``, else by force.

        Raises:
            Misconfigured: The server that started it runs too: two servers on one folder.
        """
        holding = self._read()
        if holding is None or not holding.holder.alive:
            return
        if holding.server.alive and holding.server.pid != os.getpid():
            raise Misconfigured(
                f"another homeiq-server (process {holding.server.pid}) runs {self.path.stem} on the same data folder:"
                " stop that one, or give this one a data_dir of its own"
            )
        _LOGGER.warning("Ending %s (process %d), left behind by an earlier run", self.path.stem, holding.holder.pid)
        holding.holder.send(stop)
        try:
            async with asyncio.timeout(grace_s):
                await _gone(holding.holder)
        except TimeoutError:
            holding.holder.send(signal.SIGKILL)
            await _gone(holding.holder)

    def _read(self) -> _Holding | None:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=_Holding)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as err:
            _LOGGER.warning("%s is damaged and is left out of account: %s", self.path, err)
            return None


async def _gone(process: ProcessId) -> None:
    while process.alive:  # noqa: ASYNC110 - it is no child of ours: no event tells of its end
        await asyncio.sleep(_LOOK_EVERY_S)
