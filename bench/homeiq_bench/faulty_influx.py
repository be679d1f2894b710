"""A database that answers as InfluxDB 2 does, refuses or is slow when it is told to, and may be killed at any moment.

As InfluxDB's own does, its log has a write before the answer is sent; what is in there it has taken. It is a process of
its own, ``python -m homeiq_bench.faulty_influx PORT LOG``, of the standard library alone, so that it starts quickly.
"""

import asyncio
import gzip
import os
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, Self

from homeiq_bench.server import free_port

type Mood = Literal["well", "refusing", "slow"]

_READY_WITHIN_S = 20.0
_SLOW_S = 0.15
_LENGTH: Final = struct.Struct("<I")
_VERSION: Final = "X-Influxdb-Version: v2.7.12\r\nX-Influxdb-Build: OSS\r\n"
_STATUS: Final = {200: "OK", 204: "No Content", 404: "Not Found", 503: "Service Unavailable"}


class FaultyInflux:
    """Runs the process while the ``with`` block lasts.

    Attributes:
        url: Where it listens, on loopback; the same after every start.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0
        self._read: dict[Path, int] = {}
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, unless it runs, and return when it answers; it is well then.

        Raises:
            RuntimeError: It does not answer.
        """
        if self._process:
            return
        self._starts += 1
        command = [sys.executable, "-m", __name__, str(self._port), str(self._folder / f"log-{self._starts:06d}")]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        self._process = subprocess.Popen(command, env=environment)
        deadline = time.monotonic() + _READY_WITHIN_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the database did not start; its own words stand above")
            time.sleep(0.01)

    def kill(self) -> None:
        """End it at once; nothing happens to one that does not run."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def be(self, mood: Mood) -> None:
        """Change how it answers from now on; it must run."""
        with urllib.request.urlopen(f"{self.url}/be/{mood}", timeout=10):  # noqa: S310  # a constant scheme
            pass

    def taken(self) -> Iterator[bytes]:
        """Yield each body that it has taken since this was last asked, unpacked, in order."""
        for log in sorted(self._folder.glob("log-*")):
            with log.open("rb") as file:
                file.seek(self._read.get(log, 0))
                while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
                    (length,) = _LENGTH.unpack(head)
                    body = file.read(length)
                    if len(body) < length:
                        break  # it was killed while it wrote: not taken, or not yet
                    self._read[log] = file.tell()
                    yield gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/be/well", timeout=1):  # noqa: S310  # a constant scheme
                return True
        except OSError:
            return False


class _Database:
    """The process itself."""

    def __init__(self, log: str) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._mood = "well"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what comes on one connection."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode()
                length = head.lower().partition(b"\r\ncontent-length:")[2].split(b"\r\n", 1)[0]
                status = await self._answer(path, await reader.readexactly(int(length or 0)))
                body = b'{"status":"pass"}' if status == 200 else b""  # noqa: PLR2004  # OK
                writer.write(f"HTTP/1.1 {status} {_STATUS[status]}\r\n{_VERSION}".encode())
                writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
                await writer.drain()
        except OSError, EOFError:
            writer.close()

    async def _answer(self, path: str, body: bytes) -> int:
        if path.startswith("/be/"):
            self._mood = path.removeprefix("/be/")
            return 204
        if self._mood == "refusing":
            return 503
        if path.startswith("/api/v2/write"):
            if self._mood == "slow":
                await asyncio.sleep(_SLOW_S)
            os.write(self._log, _LENGTH.pack(len(body)) + body)
            return 204
        return {"/ping": 204, "/health": 200}.get(path, 404)


async def _main(port: str, log: str) -> None:
    database = _Database(log)
    async with await asyncio.start_server(database.serve, "127.0.0.1", int(port), limit=2**20) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
