"""Where PostgreSQL's programs are, and of which major version."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from homeiq_server.errors import InvalidOptions

OLDEST: Final = 17
_DEBIAN: Final = Path("/usr/lib/postgresql")
_NEEDED: Final = ("postgres", "initdb", "pg_dump", "pg_restore")
_VERSION: Final = re.compile(r"\(PostgreSQL\) (\d+)")
_REMEDY: Final = (
    f"Install the Debian package postgresql (version {OLDEST} or newer), name the folder of its programs in the option"
    " postgresql, name another PostgreSQL in database_url, or set store to off"
)


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs of one installation.

    Attributes:
        folder: All of them are in there.
        major: Data folders of another major version cannot be read.
    """

    folder: Path
    major: int

    def __getitem__(self, name: str) -> str:
        """Return the path of a program."""
        return str(self.folder / name)


def find(folder: Path | None, *, debian: Path = _DEBIAN) -> Programs:
    """Return the programs in ``folder``; None: those on the PATH, else Debian's newest.

    Raises:
        InvalidOptions: There are none, or they are too old.
    """
    unfit = []
    for place in (folder.absolute(),) if folder else _usual(debian):
        major = _major(place)
        if major is not None and major >= OLDEST:
            return Programs(place, major)
        unfit.append(f"{place} holds " + (f"PostgreSQL {major}" if major else f"not all of {', '.join(_NEEDED)}"))
    where = "; ".join(unfit) or f"they are neither on the PATH nor in {debian}"
    if folder:
        where = f"the option postgresql names {folder}, but {where}"
    raise InvalidOptions(f"The embedded PostgreSQL cannot be started: {where}. {_REMEDY}.")


def _usual(debian: Path) -> Iterator[Path]:
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent
    yield from sorted(debian.glob("[0-9]*/bin"), key=lambda path: int(path.parent.name), reverse=True)


def _major(folder: Path) -> int | None:
    """Return the version of the programs in there; None when one is missing or cannot be run."""
    if not all(shutil.which(str(folder / name)) for name in _NEEDED):
        return None
    try:
        said = subprocess.run([folder / "postgres", "-V"], capture_output=True, check=True, timeout=10)  # noqa: S603
    except OSError, subprocess.SubprocessError:
        return None
    match = _VERSION.search(said.stdout.decode(errors="replace"))
    return int(match[1]) if match else None
