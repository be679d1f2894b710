"""Child processes that log to a file and never outlive their parent."""

import asyncio
import os
import shutil
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

POLL_S = 0.1
TAIL_LINES = 15


class DemoError(Exception):
    """Something that the demo needs did not happen; the text says what, and the remedy."""


def free_port(preferred: int = 0) -> int:
    """Return ``preferred`` when nobody listens there on loopback, else one that the system picked."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", preferred))
        except OSError:
            return free_port()
        port: int = probe.getsockname()[1]
        return port


async def wait_for[T](what: str, ask: Callable[[], Awaitable[T | None]], *, deadline_s: float = 30) -> T:
    """Ask until the answer is true, and return it.

    Raises:
        DemoError: The deadline has passed; the text names ``what`` was awaited and the last answer.
    """
    end = time.monotonic() + deadline_s
    while not (answer := await ask()):
        if time.monotonic() > end:
            raise DemoError(f"waited {deadline_s:.0f} s in vain for {what}; the last answer was {answer!r}")
        await asyncio.sleep(POLL_S)
    return answer


def _tied_to_parent(command: Sequence[str]) -> list[str]:
    """Let the kernel end the command when this process dies, however it dies."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", *command] if setpriv else list(command)


class Process:
    """One child process in a session of its own, so that a Ctrl-C reaches only us and we stop all in order."""

    def __init__(self, name: str, command: Sequence[str], *, log: Path, env: Mapping[str, str]) -> None:
        """Describe the process; ``start`` starts it, as often as it has been stopped."""
        self.name = name
        self.log = log
        self._command = _tied_to_parent(command)
        self._env = dict(env)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start the process, its output appended to the log."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._env,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise a DemoError with the log's tail when the process has ended by itself."""
        if self._process and self._process.returncode is not None:
            raise DemoError(f"{self.name} ended with code {self._process.returncode}.\n{self.tail()}")

    async def stop(self, *, timeout_s: float = 30) -> int | None:
        """Ask it to stop, wait, and return its exit code; after the timeout, or when cancelled, it is killed."""
        if self._process is None:
            return None
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._process.wait()
        except TimeoutError:
            return await self.kill()
        finally:
            self._signal(signal.SIGKILL)

    async def kill(self) -> int | None:
        """End it at once, as a power cut would."""
        if self._process is None:
            return None
        self._signal(signal.SIGKILL)
        return await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process and self._process.returncode is None:
            self._process.send_signal(number)

    def tail(self) -> str:
        """Return the log's last lines and where the rest is."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(
            ["The last lines of its log:", *(f"  {line}" for line in lines[-TAIL_LINES:]), f"The whole log: {self.log}"]
        )


def plain_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment with only those of HomeIQ's settings that are given, and without our path."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HOMEIQ_", "PYTHONPATH"))}
    return kept | dict(extra or {})
