"""The unprivileged account of programs that refuse to run as root, and what it can reach."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from homeiq_server.errors import Misconfigured

_NAMES: Final = ("postgres", "nobody")
_BY_GROUP: Final = 0o710
_CLOSED: Final = 0o700


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine with the user's own group, and no other groups."""

    name: str
    uid: int
    gid: int

    def own(self, folder: Path) -> None:
        """Make ``folder`` if it is missing; give it, and all that is in it, to the account alone."""
        folder.mkdir(mode=_CLOSED, exist_ok=True)
        if folder.stat().st_uid != self.uid:
            for place, folders, files in folder.walk():
                for path in (place, *(place / name for name in (*folders, *files))):
                    os.chown(path, self.uid, self.gid, follow_symlinks=False)
        folder.chmod(_CLOSED)

    def let_through(self, folder: Path) -> None:
        """Let the account pass through ``folder``, which is ours, without reading it."""
        if not self._passes(folder):
            if stat.S_IMODE(folder.stat().st_mode) & stat.S_IRWXG:
                folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
            else:
                os.chown(folder, -1, self.gid)
                folder.chmod(_BY_GROUP)

    def check_reach(self, folder: Path, *, instead: str) -> None:
        """Check that the account can pass through ``folder`` and all above it.

        Args:
            folder: It exists.
            instead: What else a person can do than to open them.

        Raises:
            Misconfigured: It cannot.
        """
        for place in (*reversed(folder.absolute().parents), folder):
            if not self._passes(place):
                raise Misconfigured(
                    f"the folder {place} is closed to the user {self.name}, as whom PostgreSQL runs because it refuses"
                    f" to run as root: let others pass through it (chmod o+x {place}), {instead}, or run"
                    " homeiq-server as a user of its own"
                )

    def _passes(self, folder: Path) -> bool:
        """Tell by its mode; an access list that grants more is not looked at."""
        seen = folder.stat()
        if seen.st_uid == self.uid:
            return bool(seen.st_mode & stat.S_IXUSR)
        if seen.st_gid == self.gid:
            return bool(seen.st_mode & stat.S_IXGRP)
        return bool(seen.st_mode & stat.S_IXOTH)


def unprivileged() -> Account | None:
    """Return whom to become: nobody else when we are not root.

    Raises:
        Misconfigured: We are root, and there is none to become.
    """
    if os.geteuid() != 0:
        return None
    for name in _NAMES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise Misconfigured(f"PostgreSQL refuses to run as root, and there is no user {' or '.join(_NAMES)} to run it as")
