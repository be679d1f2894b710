"""A PostgreSQL that a test may stop, start, hold and set up as it likes; also on a port, with TLS and passwords."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from homeiq_server.store.store import Pace
from tests.postgres import PROGRAMS

OWNER_PASSWORD = "marker-of-the-owner"
PASSWORD = "marker-of-the-pool"
QUICK = Pace(first=0.02, longest=0.1, refused=0.05, probe=0.05)
_NOBODY = 65534 if os.geteuid() == 0 else None


class OwnServer:
    """A server of one test, with an empty database ``homeiq`` and both roles, which need their passwords.

    Attributes:
        folder: With its socket, its data, and its certificate ``server.crt``, which signed itself.
        port: On loopback.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()

    @property
    def url(self) -> str:
        return self._on_socket("homeiq", PASSWORD)

    @property
    def owner_url(self) -> str:
        return self._on_socket("homeiq_owner", OWNER_PASSWORD)

    def on_port(self, *, host: str = "localhost") -> tuple[str, str]:
        """Return the addresses of the pool and of the owner, on TCP."""
        return (
            f"postgresql://homeiq:{PASSWORD}@{host}:{self.port}/homeiq",
            f"postgresql://homeiq_owner:{OWNER_PASSWORD}@{host}:{self.port}/homeiq",
        )

    def copy(self, other: OwnServer) -> None:
        """Take the data of another one, which does not run."""
        self._run("/bin/cp", "-a", other._data, self._data)

    def create(self) -> None:
        """Make its data and roles; it is not left running."""
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-N", "--locale=C.UTF-8")
        self.start()
        self.sql(
            f"CREATE ROLE homeiq_owner LOGIN CREATEROLE PASSWORD '{OWNER_PASSWORD}';",
            f"CREATE ROLE homeiq LOGIN PASSWORD '{PASSWORD}';",
            "CREATE DATABASE homeiq OWNER homeiq_owner;",
        )
        rules = "local all postgres trust\nlocal all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"
        Path(self._data, "pg_hba.conf").write_text(rules)
        self.stop()

    def offer_tls(self) -> Path:
        """Give it a certificate for localhost that it signed itself; return that."""
        key, certificate = self.folder / "server.key", self.folder / "server.crt"
        program = shutil.which("openssl")
        if program is None:
            pytest.skip("there is no openssl here")
        new = (program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
        names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
        subprocess.run((*new, *names, "-keyout", key, "-out", certificate), check=True, capture_output=True)
        if _NOBODY:
            os.chown(key, _NOBODY, _NOBODY)
        key.chmod(0o600)
        with Path(self._data, "postgresql.conf").open("a") as settings:
            settings.write(f"ssl = on\nssl_cert_file = '{certificate}'\nssl_key_file = '{key}'\n")
        return certificate

    def start(self) -> None:
        """Start it and return when it answers."""
        settings = f"-c fsync=off -c listen_addresses=127.0.0.1 -p {self.port} -k {self.folder}"
        self._run("pg_ctl", "-D", self._data, "-w", "-l", str(self.folder / "log"), "-o", settings, "start")

    def stop(self) -> None:
        """Stop it without waiting for its clients."""
        self._run("pg_ctl", "-D", self._data, "-w", "-m", "fast", "stop")

    def hold(self, number: signal.Signals) -> None:
        """Send a signal, such as SIGSTOP, to it and to the processes of its clients."""
        pid = int(Path(self._data, "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for process in (pid, *map(int, children)):
            os.kill(process, number)

    def sql(self, *statements: str, database: str = "postgres") -> None:
        """Run statements as the superuser, each in a transaction of its own."""
        commands = [part for statement in statements for part in ("-c", statement)]
        where = ("-h", str(self.folder), "-p", str(self.port), "-U", "postgres", "-d", database)
        self._run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *where, *commands)

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _on_socket(self, user: str, password: str) -> str:
        return f"postgresql://{user}:{password}@/homeiq?host={self.folder}&port={self.port}"

    def _run(self, program: str, *arguments: str) -> None:
        others = None if _NOBODY is None else ()
        command = [str(PROGRAMS / program), *arguments]  # an absolute path stays as it is
        subprocess.run(
            command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60, cwd="/",
            user=_NOBODY, group=_NOBODY, extra_groups=others,
        )  # fmt: skip


@contextmanager
def own_server(like: OwnServer | None = None) -> Iterator[OwnServer]:
    """Give a server that is not started yet, new or a copy, and stop it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="homeiq-pg-"))
    if _NOBODY:
        os.chown(folder, _NOBODY, _NOBODY)
    server = OwnServer(folder)
    try:
        if like:
            server.copy(like)
        else:
            server.create()
        yield server
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
