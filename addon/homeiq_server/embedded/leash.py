"""Becomes another program, one that dies with its parent.

``python -I -S leash.py SIGNAL PARENT ACCOUNT PROGRAM ARG...``: Linux sends SIGNAL to the program when the process
PARENT ends, however that ends, so that no ``kill -9`` leaves a server behind that holds its data folder. ACCOUNT is
``UID:GID`` to become first, or ``-``. Run as a file by a bare interpreter: a ``preexec_fn`` would do the same between
fork and exec, where a lock of another thread may be held for ever.
"""

import ctypes
import os
import signal
import sys
from typing import NoReturn

_PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> NoReturn:
    """Become the account, ask for the signal, undo what Python changed, and become the program."""
    number, parent, account, *command = sys.argv[1:]
    if account != "-":
        _become(*map(int, account.split(":")))  # before the signal is asked for: it is forgotten when these change
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(number)) != 0:
        sys.exit(f"cannot ask for the parent's death signal: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != int(parent):
        sys.exit("the parent ended before its program began")
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    try:
        os.execv(command[0], command)  # noqa: S606 - becoming the given program is what this file is for
    except OSError as err:
        sys.exit(f"cannot run {command[0]}: {err.strerror}")


def _become(uid: int, gid: int) -> None:
    try:
        os.setgroups(())
        os.setgid(gid)
        os.setuid(uid)
    except OSError as err:
        sys.exit(f"cannot become the user {uid}: {err.strerror}")


if __name__ == "__main__":
    main()
