"""From root to a user of our own: the Supervisor starts an app as root, so that it can own its folder."""

import os
import pwd
from pathlib import Path

from homeiq_server.errors import InvalidOptions


def become(user: str, folder: Path) -> None:
    """Give ``folder`` with all that is in it to ``user``, and go on as that user; nothing when we are not root.

    All of it each time, because a restored backup belongs to root.

    Raises:
        InvalidOptions: There is no such user.
    """
    if os.geteuid() != 0:
        return
    try:
        entry = pwd.getpwnam(user)
    except KeyError as err:
        raise InvalidOptions(f"HOMEIQ_USER: there is no user {user}; name one that exists, or unset it") from err
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for place, folders, files in folder.walk():
        for path in (place, *(place / name for name in (*folders, *files))):
            os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.environ["HOME"] = entry.pw_dir
