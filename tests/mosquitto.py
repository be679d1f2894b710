"""A real Mosquitto for tests and benches, on a port of its own, with a folder of its own."""

import asyncio
import base64
import hashlib
import os
import secrets
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psutil

PROGRAM: Final = Path(__file__).parents[1] / ".tools" / "bin" / "mosquitto"
_ITERATIONS: Final = 101
_NO_SETTINGS: Final[Mapping[str, str]] = {}


class Mosquitto:
    """A broker that can be stopped, killed and started again; its port and its folder stay.

    Attributes:
        port: On 127.0.0.1.
        certificate: What a client trusts, when it was made with ``tls``.
    """

    def __init__(  # noqa: PLR0913 - what a broker can be like
        self,
        folder: Path,
        *,
        tls: bool = False,
        users: Mapping[str, str] | None = None,
        settings: Mapping[str, str] = _NO_SETTINGS,
        listener: Mapping[str, str] = _NO_SETTINGS,
        port: int | None = None,
    ) -> None:
        """Prepare it.

        Args:
            folder: Exists or not; where it keeps what it must not forget.
            tls: Whether it speaks TLS only, for ``localhost`` and 127.0.0.1.
            users: Passwords by name; None: everybody is let in.
            settings: More lines of its configuration, such as ``max_queued_messages``.
            listener: The same, of its only listener.
            port: A free one is chosen when None.
        """
        self.folder = folder
        self.port = port or _free_port()
        self.users = None if users is None else dict(users)
        self.settings = dict(settings)
        self.listener = dict(listener)
        self.certificate = folder / "certificate.pem" if tls else None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """As the option ``mqtt_url`` has it."""
        return f"mqtts://localhost:{self.port}" if self.certificate else f"mqtt://127.0.0.1:{self.port}"

    @property
    def cpu_s(self) -> float:
        """Of the running one, in seconds of a core."""
        assert self._process
        parent = psutil.Process(self._process.pid)
        times = [process.cpu_times() for process in (parent, *parent.children(recursive=True))]
        return sum(one.user + one.system for one in times)

    async def start(self) -> None:
        """Return when it listens; ``RuntimeError`` when it does not start."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.certificate and not self.certificate.exists():
            await asyncio.to_thread(_make_certificate, self.folder)
        if self.users is not None:
            lines = [f"{name}:{_hashed(password)}\n" for name, password in self.users.items()]
            (self.folder / "passwords").write_text("".join(lines))
            (self.folder / "passwords").chmod(0o600)
        (self.folder / "mosquitto.conf").write_text(self._configuration())
        with (self.folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                PROGRAM, "-c", self.folder / "mosquitto.conf", stdout=log, stderr=log, cwd=self.folder
            )
        async with asyncio.timeout(20):
            while not await self._listens():
                if self._process.returncode is not None:
                    raise RuntimeError((self.folder / "log").read_text())
                await asyncio.sleep(0.02)

    async def stop(self, *, kill: bool = False) -> None:
        """End it; by ``kill`` without a chance to write anything down."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            process.kill() if kill else process.terminate()
        async with asyncio.timeout(20):
            await process.wait()

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    def _configuration(self) -> str:
        lines = [
            *(["user root"] if os.geteuid() == 0 else []),
            "persistence true",
            f"persistence_location {self.folder}/",
            f"allow_anonymous {'true' if self.users is None else 'false'}",
            *([] if self.users is None else [f"password_file {self.folder}/passwords"]),
            *(f"{name} {value}" for name, value in self.settings.items()),
            f"listener {self.port} 127.0.0.1",
            *(f"{name} {value}" for name, value in self.listener.items()),
        ]
        if self.certificate:
            lines += [f"certfile {self.certificate}", f"keyfile {self.folder}/key.pem"]
        return "\n".join(lines) + "\n"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _hashed(password: str) -> str:
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    return f"$7${_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _make_certificate(folder: Path) -> None:
    """Make a certificate that is its own authority."""
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=localhost", "-addext", names]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
