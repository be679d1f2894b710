"""What may be asked of the tables."""

from typing import Protocol

from homeiq_server.history.spool.tables.group import Group
from homeiq_server.history.spool.tables.tables import Tables


class Change[Answer](Protocol):
    """What one caller asks for; done wholly or not at all, together with others in one transaction."""

    def make(self, tables: Tables, group: Group) -> Answer | Exception:
        """Change the tables inside a part of an open transaction; an error that is returned undoes nothing.

        The tables are written first, and memory (the group, the sums) last, where nothing can fail any more:
        so a part that raises leaves no trace in either.

        Raises:
            ValueError: The request's own numbers contradict each other.
            OverflowError: A number is beyond 64 bits.
            sqlite3.IntegrityError: The tables cannot hold this.
        """
        ...
