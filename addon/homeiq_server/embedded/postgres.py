"""The PostgreSQL that the app brings along for those who have none: on a unix socket alone, with settings of its own.

Its data folder is of one major version, ``postgresql-<major>``. The next one begins with the newest dump of this one.
"""

import asyncio
import logging
import shutil
import signal
import tempfile
from functools import partial
from pathlib import Path
from typing import IO, Final, override

from homeiq_server.errors import HomeIQError

from . import command, postgres_programs, postgres_roles
from .account import Account, unprivileged
from .child import Child, Program, State
from .postgres_dumps import Dumps, restore_first
from .postgres_folder import DataFolder
from .postgres_lock import unlock
from .postgres_roles import DATABASE, SUPERUSER
from .postgres_settings import arguments, fits, parse_line
from .supervised import Supervised

_LOGGER = logging.getLogger(__name__)
_LAST_DUMP_S: Final = 1.5  # of the seconds that the app has to stop in
_STOP_S: Final = 3
_READY_S: Final = 900  # the time for recovering after a crash, and for restoring a dump


class Postgres(Supervised):
    """The embedded PostgreSQL; ``run`` keeps it running.

    Attributes:
        url: For the pool: the role that owns nothing; the same for as long as the server runs.
        owner_url: For migrations: the role that owns the tables.
        major: Its major version.
    """

    def __init__(self, data_dir: Path, programs: Path | None = None, *, dumps: Dumps | None = None) -> None:
        """Find the programs, and choose where the socket is.

        Args:
            data_dir: Its own folders in there are ``postgresql-<major>``, ``postgresql-socket`` and ``dumps``.
            programs: The folder of the programs; None: on the PATH, or Debian's newest.
            dumps: Where and when dumps are written; None: in ``data_dir``, once a day.

        Raises:
            InvalidOptions: There are no such programs.
            Misconfigured: We are root, and there is no user to run it as.
        """
        self._programs = postgres_programs.find(programs)
        self.major = self._programs.major
        data_dir = data_dir.absolute()
        self._account = unprivileged()
        self._folder = DataFolder(data_dir, self._programs, self._account)
        self._dumps = dumps or Dumps(data_dir / "dumps", self.major)
        self._sockets, self._temporary = _socket_folder(data_dir)
        self.url = postgres_roles.url_of("homeiq", self._sockets)
        self.owner_url = postgres_roles.url_of(postgres_roles.OWNER, self._sockets)
        self._dumped_at: int | None = None
        super().__init__(
            Child(
                Program(
                    name="PostgreSQL",
                    command=(
                        self._programs["postgres"],
                        *arguments(self.major, data=self._folder.path, sockets=self._sockets),
                    ),
                    folder=self._folder.path,
                    prepare=self._prepare,
                    account=self._account,
                    ready=self._ready,
                    parse=parse_line,
                    ready_within_s=_READY_S,
                    stop_signal=signal.SIGINT,  # a fast shutdown: clients are sent away, everything is put on disk
                    grace_s=_STOP_S,
                )
            )
        )

    @property
    def account(self) -> Account | None:
        """Return the user that it runs as, or None when it runs as we do."""
        return self._account

    @override
    async def run(self) -> None:
        """Keep it running until cancelled; leave only when its process is gone, with everything on disk.

        Run it in an outer ``TaskGroup`` of those who use it, so that they stop first: a last dump is made of what they
        left. A second cancellation ends a slow stop at once.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                child = tasks.create_task(self._child.run(), name="PostgreSQL")
                try:
                    await self._dumps.daily(self.dump)
                finally:
                    try:
                        await self._last_dump()
                    finally:
                        child.cancel()
                        await asyncio.wait((child,))  # cancelled here, the TaskGroup cancels the child a second time
        finally:
            if self._temporary:
                shutil.rmtree(self._sockets, ignore_errors=True)

    async def dump(self) -> None:
        """Write a dump, unless nothing was written since the last one.

        Raises:
            RetryLater: The server does not answer.
            OSError: There is no room, or no disk.
        """
        position = await postgres_roles.position(self._sockets)
        if position == self._dumped_at:
            return
        await self._dumps.make(self._write_dump)
        self._dumped_at = position

    async def _last_dump(self) -> None:
        if self.state is not State.RUNNING:
            return
        try:
            async with asyncio.timeout(_LAST_DUMP_S):
                await self.dump()
        except TimeoutError:
            _LOGGER.info("the last dump of PostgreSQL would take longer than the stop may: left out")
        except (HomeIQError, OSError) as err:
            _LOGGER.warning("the last dump of PostgreSQL failed: %s", err)

    async def _prepare(self) -> None:
        await self._folder.prepare()
        if self._account:
            self._account.own(self._sockets)
            self._account.check_reach(self._sockets, instead="let TMPDIR name another folder")
        else:
            self._sockets.mkdir(mode=0o700, exist_ok=True)
        await unlock(self._folder.path, self._sockets)

    async def _ready(self) -> bool:
        if not await postgres_roles.answers(self._sockets):
            return False
        await postgres_roles.ensure(self._sockets, self._fill)
        return True

    async def _fill(self, database: str) -> None:
        """Restore the best dump, if there is any, into a new database."""
        older = self._folder.older()
        restored = await restore_first(self._dumps.restorable(), partial(self._restore, database))
        if restored:
            _LOGGER.warning("the store was restored from %s, as it was at %s", restored.path, restored.at)
        elif older:
            _LOGGER.warning(
                "there is no dump of %s: the store of PostgreSQL %d begins empty. To take it along, start the app that"
                " made it, stop that one in order, and move %s away",
                older[0],
                self.major,
                self._folder.path,
            )
        if restored and older:
            _LOGGER.info("%s is no longer used and may be deleted", older[0])

    async def _write_dump(self, file: IO[bytes]) -> None:
        await command.run(
            self._programs["pg_dump"],
            "--format=custom",
            "--compress=zstd:1",  # half the size and half the time of the usual gzip; Debian builds it in
            *self._client(DATABASE),
            account=self._account,
            stdout=file,
        )

    async def _restore(self, database: str, file: IO[bytes]) -> None:
        await command.run(
            self._programs["pg_restore"],
            "--single-transaction",
            "--exit-on-error",
            *self._client(database),
            account=self._account,
            stdin=file,
        )

    def _client(self, database: str) -> tuple[str, ...]:
        return (f"--host={self._sockets}", f"--username={SUPERUSER}", f"--dbname={database}", "--no-password")


def _socket_folder(data_dir: Path) -> tuple[Path, bool]:
    """Return where the socket is, and whether that is a temporary folder: not every path can be a socket's."""
    if fits(own := data_dir / "postgresql-socket"):
        return own, False
    short = fits(Path(tempfile.gettempdir(), "homeiq-12345678"))
    return Path(tempfile.mkdtemp(prefix="homeiq-", dir=None if short else "/tmp")), True  # noqa: S108 - a private one in it
