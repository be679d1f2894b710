"""What a table's rows look like, to tell them from whatever else a damaged page may hold."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

_TYPES: Final[Mapping[str, type]] = {"INTEGER": int, "TEXT": str, "BLOB": bytes}
_COLUMNS = 'SELECT name, type, "notnull", pk FROM pragma_table_info(?)'
_HAS_ROW_ID = "SELECT NOT wr FROM pragma_table_list WHERE name = ?"


class Misread(sqlite3.DatabaseError):
    """SQLite handed out a row that its table cannot hold: the file is damaged where SQLite did not notice."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of one table: name, type, and whether a row may do without.

    Attributes:
        table: Its name.
        columns: In the order in which they are stored.
        id_column: The column that is the row's id and is stored nowhere else; None when there is none.
    """

    table: str
    columns: tuple[tuple[str, type | None, bool], ...]
    id_column: str | None
    has_row_id: bool

    @classmethod
    def of(cls, db: sqlite3.Connection, table: str) -> Self:
        """Return the shape that a table has in ``db``."""
        found = db.execute(_COLUMNS, (table,)).fetchall()
        (has_row_id,) = db.execute(_HAS_ROW_ID, (table,)).fetchone()
        keys = [name for name, _, _, key in found if key]
        columns = tuple((name, _TYPES.get(kind), bool(needed)) for name, kind, needed, _ in found)
        return cls(table, columns, keys[0] if has_row_id and keys == ["id"] else None, bool(has_row_id))

    def fit(self, row_id: int, values: Sequence[object]) -> dict[str, Any] | None:
        """Return the row by column, its id included; None when it is none of this table's.

        A row that was written before a column was added to its table lacks the column.
        """
        if bool(row_id) != self.has_row_id or len(values) > len(self.columns):
            return None
        row: dict[str, Any] = {}
        for (name, kind, is_needed), value in zip(self.columns, values, strict=False):
            if name == self.id_column:
                row[name] = row_id
            elif (value is None and not is_needed) or kind is None or isinstance(value, kind):
                row[name] = value
            else:
                return None
        return row

    def insert(self, db: sqlite3.Connection, row: Mapping[str, Any]) -> None:
        """Store a row, unless one with its key is there or the table refuses it."""
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        statement = f"INSERT OR IGNORE INTO {self.table} ({names}) VALUES ({marks})"  # noqa: S608 - names from the schema
        db.execute(statement, tuple(row.values()))
