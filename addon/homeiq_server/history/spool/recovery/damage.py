"""What is wrong with a spool's file, as far as it shows before or while SQLite reads it."""

import os
import sqlite3
from pathlib import Path
from typing import Final

from homeiq_server.history.spool import connection
from homeiq_server.history.spool.tables.shape import Shape

from .adoption import ALL_ROOTS
from .aside import Kind, Unusable
from .carving import Carver
from .carving.journal import Journal

_LOOK_AT_PAGES: Final = 100
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_READ_FAULTS: Final = frozenset({sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ})


def inspect(path: Path) -> None:
    """Look for what SQLite would not tell of, or would make worse.

    Raises:
        Unusable: The file must be set aside before SQLite opens it.
        OSError: The disk does not let us look.
    """
    if path.exists() and not path.is_file():
        raise Unusable("foreign", "it is no file")
    for part in ("", "-wal", "-shm"):
        _check_usable(path.with_name(path.name + part))
    journal = Journal.read(path.with_name(path.name + "-wal"))
    if journal.is_damaged:
        raise Unusable("damaged", "its journal is damaged, and there are commits behind the damage")
    if journal.offsets and not (path.exists() and path.stat().st_size):
        raise Unusable("damaged", "it is empty, but its journal is not")


def kind(path: Path) -> Kind:
    """Tell whether what SQLite cannot use is a spool that is damaged, or somebody else's file.

    A spool is known by its header, or by what it holds; a header of zeros is damage, whosever it was.
    """
    if not path.is_file():
        return "foreign"
    with path.open("rb") as file:
        header = file.read(100)
    if not any(header) or header[68:72] == connection.APPLICATION_ID.to_bytes(4):
        return "damaged"
    return "damaged" if _holds_our_rows(path) else "foreign"


def _holds_our_rows(path: Path) -> bool:
    db = connection.blank()
    try:
        with Carver(path, dict(db.execute(ALL_ROOTS))) as carver:
            return any(
                found is not None and Shape.of(db, table).fit(*found)
                for table in ("counters", "queue")
                for page in carver.pages(table)[:_LOOK_AT_PAGES]
                for found in carver.rows(page)
            )
    finally:
        db.close()


def is_damage(error: sqlite3.Error) -> bool:
    """Tell whether the file is at fault, and not its disk's space or somebody who has locked it."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in _DAMAGE or code in _READ_FAULTS


def is_full(error: sqlite3.Error) -> bool:
    """Tell whether the disk is full."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def _check_usable(path: Path) -> None:
    if not path.exists():
        return
    if not path.is_file():
        raise Unusable("damaged", f"{path.name} is no file")
    if not os.access(path, os.R_OK | os.W_OK):
        try:
            path.chmod(0o600)
        except PermissionError as err:
            raise Unusable("damaged", f"{path.name} may not be read: {err.strerror}") from err
