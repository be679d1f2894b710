"""What the queue takes of the disk."""

import sqlite3
from typing import Final

from .dead_letters import DeadLetters
from .queue import Queue

_OTHER_TABLES_BYTES: Final = 1024 * 1024  # a small limit must not be used up by streams, labels and an empty file


class Space:
    """The sum over the rows, or the pages of the file that are in use, whichever is more.

    Small rows and rows just over a page leave up to half of their pages empty, so the sum alone could be wrong by
    as much. Dead letters have a bound of their own.
    """

    def __init__(self, db: sqlite3.Connection, queue: Queue, dead: DeadLetters) -> None:
        self._db = db
        self._queue = queue
        self._dead = dead
        self._page_bytes: int = db.execute("PRAGMA page_size").fetchone()[0]

    def used_bytes(self) -> int:
        """Return it, with what the open transaction has changed."""
        pages: int = self._db.execute("PRAGMA page_count").fetchone()[0]
        free: int = self._db.execute("PRAGMA freelist_count").fetchone()[0]
        in_use = (pages - free) * self._page_bytes - self._dead.stored_bytes - _OTHER_TABLES_BYTES
        return max(self._queue.stored_bytes, in_use)
