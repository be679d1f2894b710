"""Which page belongs to which table, also where the tree that leads to it is broken."""

from array import array
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from struct import unpack_from
from typing import Final, override

from .journal import PAGE_BYTES
from .pages import Pages

_PER_MAP: Final = PAGE_BYTES // 5 + 1  # pages that one page of the pointer map stands for, itself included
_LOCK_PAGE: Final = 0x4000_0000 // PAGE_BYTES + 1  # never used: its bytes are locks
_MAX_DEPTH: Final = 20
_IS_ROOT, _IN_TREE, _UNKNOWN = 1, 5, 0


class Carver(AbstractContextManager["Carver"]):
    """The rows of a damaged file's tables. The same file gives the same rows in the same order every time."""

    def __init__(self, path: Path, roots: Mapping[str, int]) -> None:
        """Find the pages of each table.

        Args:
            path: The file; what is in the journal beside it counts.
            roots: The first page of each table's tree, for tables of which the file itself does not tell it.
        """
        self._pages = Pages(path)
        self._reached = bytearray(self._pages.count + 1)
        self._map: tuple[int, bytes | None] = (0, None)
        self._broken: set[str] = set()
        roots = {table: root for table, root in {**roots, **dict(self._told_roots())}.items() if table in roots}
        self._tables = {root: table for table, root in roots.items()}
        self._found = {table: array("I", self._walk(table, root)) for table, root in roots.items()}
        self._unmapped = array("I")
        self._find_orphans()

    def close(self) -> None:
        """Close the file."""
        self._pages.close()

    @override
    def __exit__(self, *_: object) -> None:
        self.close()

    def is_whole(self, table: str) -> bool:
        """Tell whether no page of the table's tree is missing."""
        return table not in self._broken

    def pages(self, table: str) -> array[int]:
        """Return the pages of a table in the order of its keys; those that its tree has lost come last."""
        return self._found[table] + self._unmapped

    def rows(self, page: int) -> Iterator[tuple[int, tuple[object, ...]] | None]:
        """Yield the rows of a page, each with its id (0 in tables without ids); None for one that cannot be read."""
        node = self._pages.node(page)
        if node is not None and node.has_records:
            yield from self._pages.records(node)

    def _told_roots(self) -> Iterator[tuple[str, int]]:
        """Yield the first page of each table of which the schema can be read."""
        for page in self._walk("sqlite_schema", 1):
            for row in self.rows(page):
                match row:
                    case _, ("table", str(name), _, int(root), _) if self._pages.node(root):
                        yield name, root

    def _walk(self, table: str, root: int) -> Iterator[int]:
        """Yield the pages with rows below ``root``; note a table of which a page is missing as broken."""
        waiting = [root]
        while waiting:
            number = waiting.pop()
            node = self._pages.node(number)
            if node is None or self._reached[number]:
                self._broken.add(table)
                continue
            self._reached[number] = True
            if node.has_records:
                yield number
            waiting += reversed(list(node.children()))

    def _find_orphans(self) -> None:
        for number in range(2, self._pages.count + 1):
            if self._reached[number] or number == _LOCK_PAGE or number == _map_page(number):
                continue
            kind, parent = self._told(number)
            if kind == _UNKNOWN:
                self._unmapped.append(number)
            elif kind in {_IS_ROOT, _IN_TREE} and (table := self._owner(number, kind, parent)):
                self._found[table].append(number)

    def _owner(self, number: int, kind: int, parent: int) -> str | None:
        """Return the table to whose tree a page belongs, as the map tells."""
        for _ in range(_MAX_DEPTH):
            if kind == _IS_ROOT or number in self._tables:
                return self._tables.get(number)
            number = parent
            kind, parent = self._told(number)
        return None

    def _told(self, number: int) -> tuple[int, int]:
        """Return what the pointer map says of a page: its use and its parent."""
        if (page := _map_page(number)) != self._map[0]:
            self._map = page, self._pages.read(page)
        raw = self._map[1]
        at = 5 * (number - page - 1)
        return unpack_from(">BI", raw, at) if raw and 0 <= at <= PAGE_BYTES - 5 else (_UNKNOWN, 0)


def _map_page(number: int) -> int:
    page = (number - 2) // _PER_MAP * _PER_MAP + 2
    return page + 1 if page == _LOCK_PAGE else page
