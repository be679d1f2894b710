"""The spool's SQLite connection: who may open the file, with which settings, and that it is ours.

Settings and their reasons: an acknowledgement must survive a power cut (WAL with ``synchronous = FULL``), a
drained queue gives its space back (``auto_vacuum``), a damaged file can be read page by page (``page_size``, and
the map of parents that ``auto_vacuum`` keeps), flash memory lives long (Debian's SQLite zeroes all that it deletes
unless told not to). ``synchronous`` holds for a connection only and a typing error in a PRAGMA is silent, so each
setting is read back.
"""

import contextlib
import fcntl
import os
import sqlite3
from importlib import resources
from pathlib import Path
from typing import Final, NamedTuple
from uuid import uuid4

from homeiq_server.errors import Misconfigured

from .recovery.aside import Unusable

APPLICATION_ID: Final = 1212764499  # "HIQS", written by schema.sql
VERSION: Final = 1


class _Setting(NamedTuple):
    name: str
    change: str
    read: str
    expected: int | str


# In this order: page_size and auto_vacuum can only be chosen while the file has no page yet, and WAL writes the first.
_SETTINGS: Final = (
    _Setting("busy_timeout", "PRAGMA busy_timeout = 5000", "PRAGMA busy_timeout", 5000),
    _Setting("page_size", "PRAGMA page_size = 4096", "PRAGMA page_size", 4096),
    _Setting("auto_vacuum", "PRAGMA auto_vacuum = INCREMENTAL", "PRAGMA auto_vacuum", 2),
    _Setting("journal_mode", "PRAGMA journal_mode = WAL", "PRAGMA journal_mode", "wal"),
    _Setting("synchronous", "PRAGMA synchronous = FULL", "PRAGMA synchronous", 2),
    _Setting("journal_size_limit", "PRAGMA journal_size_limit = 4194304", "PRAGMA journal_size_limit", 4_194_304),
    _Setting("secure_delete", "PRAGMA secure_delete = OFF", "PRAGMA secure_delete", 0),
)

_COUNT_TABLES = "SELECT count(*) FROM sqlite_schema"
_NAME_SERVER = "INSERT INTO meta (key, value) VALUES ('server_id', ?) ON CONFLICT DO NOTHING"


def lock(path: Path) -> int:
    """Return a file descriptor that keeps every other process away from the spool until it is closed.

    Raises:
        Misconfigured: Another process has the spool.
    """
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as err:
        owner = os.read(descriptor, 20).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise Misconfigured(
            f"{path} is in use by another homeiq-server (process {owner}): stop that one, or choose another data_dir"
        ) from err
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
    return descriptor


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection with every setting in force; make the tables when the file is new.

    Only the calling thread may use it. The caller holds the lock. Closed before ``keep_whole`` is called, it leaves the
    journal beside the file, as it was: what is found to be damaged changes no more.

    Raises:
        Unusable: The file is another program's, or of a version that this server does not know.
        Misconfigured: A setting cannot be had.
        sqlite3.Error: The disk or the file is faulty.
    """
    path.touch(mode=0o600)  # SQLite gives its journal files the same mode
    db = sqlite3.connect(path, autocommit=True)
    with contextlib.ExitStack() as on_failure:
        on_failure.callback(db.close)
        keep_whole(db, whole=False)
        _check_ours(db)
        _configure(db, path)
        if db.execute(_COUNT_TABLES).fetchone() == (0,):
            db.executescript(_schema())
        db.execute(_NAME_SERVER, (uuid4().hex,))
        on_failure.pop_all()
    return db


def blank() -> sqlite3.Connection:
    """Return a connection to an empty spool in memory, to ask for what every spool's tables are like."""
    db = sqlite3.connect(":memory:", autocommit=True)
    db.execute("PRAGMA auto_vacuum = INCREMENTAL").fetchall()
    db.executescript(_schema())
    return db


def _schema() -> str:
    return resources.files(__package__).joinpath("schema.sql").read_text("utf-8")


def keep_whole(db: sqlite3.Connection, *, whole: bool = True) -> None:
    """Let the file be made whole when its connection closes: the journal emptied into it, and deleted; or not."""
    db.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, not whole)


def _check_ours(db: sqlite3.Connection) -> None:
    """Refuse another program's file before anything is changed in it."""
    if db.execute(_COUNT_TABLES).fetchone() == (0,):
        return
    (application_id,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if application_id != APPLICATION_ID:
        raise Unusable("foreign", "it is not a spool of HomeIQ")
    if version != VERSION:
        raise Unusable("newer", f"it has version {version}, and this server knows {VERSION}")


def _configure(db: sqlite3.Connection, path: Path) -> None:
    for setting in _SETTINGS:
        db.execute(setting.change).fetchall()
        (value,) = db.execute(setting.read).fetchone()
        if value != setting.expected:
            raise Misconfigured(
                f"{path}: SQLite keeps {setting.name} at {value}, and the spool needs {setting.expected}: "
                "keep the file on a local disk"
            )
