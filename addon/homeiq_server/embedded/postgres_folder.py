"""The data folder of the embedded PostgreSQL: one for each major version, whole or not there at all."""

import asyncio
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from homeiq_server.errors import Misconfigured

from . import command
from .account import Account
from .postgres_programs import Programs

_LOGGER = logging.getLogger(__name__)
_NAME: Final = re.compile(r"postgresql-(\d+)")
_INITDB: Final = (
    "--username=postgres",
    "--auth=trust",  # the socket is in a folder that nobody else can enter
    "--encoding=UTF8",
    "--locale-provider=builtin",  # its order of texts is its own, and outlives an update of the system's
    "--locale=C.UTF-8",
    "--wal-segsize=1",
    "--sync-method=syncfs",
    "--no-instructions",
)


class DataFolder:
    """The folder.

    Attributes:
        path: ``postgresql-<major>`` in the folder of the app.
    """

    def __init__(self, data_dir: Path, programs: Programs, account: Account | None) -> None:
        self.path = data_dir / f"postgresql-{programs.major}"
        self._data_dir = data_dir
        self._programs = programs
        self._account = account

    async def prepare(self) -> None:
        """Have it there, whole, and our account's.

        Raises:
            Misconfigured: There is one of a newer major version, or a folder above is closed to our account.
            RetryLater: It could not be made.
            OSError: The same.
        """
        self._refuse_newer()
        if self._account:
            self._account.let_through(self._data_dir)
            self._account.check_reach(self._data_dir, instead="choose another data_dir")
            self._account.check_reach(self._programs.folder, instead="name another folder in the option postgresql")
        if not _is_whole(self.path):
            await self._make()
        if self._account:
            await asyncio.to_thread(self._account.own, self.path)
        else:
            self.path.chmod(0o700)  # what a restored backup gave it may be more, which PostgreSQL refuses

    def older(self) -> list[Path]:
        """Return the folders of older major versions, the newest first."""
        found = sorted(self._others(), reverse=True)
        return [path for major, path in found if major < self._programs.major]

    def _refuse_newer(self) -> None:
        brought = self._programs.major
        newest, path = max(self._others(), default=(brought, self.path))
        if newest > brought:
            raise Misconfigured(
                f"the data folder belongs to PostgreSQL {newest}, this app brings {brought}: start the newer app again,"
                f" or restore the backup that was made before the update, or move {path} away to go on with what was"
                f" there before"
            )

    def _others(self) -> Iterator[tuple[int, Path]]:
        for path in self._data_dir.iterdir():
            if (match := _NAME.fullmatch(path.name)) and (path / "PG_VERSION").exists():
                yield int(match[1]), path

    async def _make(self) -> None:
        """Make it under another name first: a folder that has the name is whole."""
        if self.path.exists() and any(self.path.iterdir()):
            aside = self.path.with_name(f"{self.path.name}.damaged-{time.time_ns() // 1_000_000_000}")
            self.path.rename(aside)
            _LOGGER.error("%s is no whole folder of PostgreSQL: kept as %s, and made again", self.path, aside)
        new = self.path.with_name(f"{self.path.name}.new")
        await asyncio.to_thread(shutil.rmtree, new, ignore_errors=True)
        new.mkdir(mode=0o700)
        if self._account:
            self._account.own(new)
        await command.run(self._programs["initdb"], f"--pgdata={new}", *_INITDB, account=self._account)
        new.rename(self.path)
        sync_folder(self._data_dir)


def sync_folder(folder: Path) -> None:
    """Put the names in the folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_whole(folder: Path) -> bool:
    return (folder / "PG_VERSION").exists() and (folder / "global" / "pg_control").exists()
