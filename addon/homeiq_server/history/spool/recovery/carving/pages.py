"""The pages of a database file as of its last commit, and what each page says of itself."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from struct import error as StructError  # noqa: N812 - it is a class
from struct import unpack_from
from typing import Final, Self

from .journal import PAGE_BYTES, Journal
from .records import Unreadable, decode, varint

MAX_PAYLOAD_BYTES: Final = 16 * 1024 * 1024  # no row of ours comes near

_FILE_HEADER_BYTES: Final = 100
_OVERFLOW_BYTES: Final = PAGE_BYTES - 4
_LEAST_LOCAL: Final = (PAGE_BYTES - 12) * 32 // 255 - 23
_INDEX_INTERIOR, _TABLE_INTERIOR, _INDEX_LEAF, _TABLE_LEAF = 2, 5, 10, 13
_MOST_LOCAL: Final = {_TABLE_LEAF: PAGE_BYTES - 35, **dict.fromkeys((2, 10), (PAGE_BYTES - 12) * 64 // 255 - 23)}


@dataclass(frozen=True, slots=True)
class Node:
    """A page of a tree.

    Attributes:
        raw: The page.
        kind: The page's type in SQLite's numbers.
        cells: Where its entries begin.
        last_child: The page behind the last entry; 0 on a leaf.
    """

    raw: bytes
    kind: int
    cells: tuple[int, ...]
    last_child: int

    @classmethod
    def parse(cls, raw: bytes, number: int) -> Self | None:
        """Return the page as a node; None when it is no page of a tree."""
        start = _FILE_HEADER_BYTES if number == 1 else 0
        kind, _, count = unpack_from(">BHH", raw, start)
        if kind not in {_INDEX_INTERIOR, _TABLE_INTERIOR, _INDEX_LEAF, _TABLE_LEAF}:
            return None
        is_interior = kind in {_INDEX_INTERIOR, _TABLE_INTERIOR}
        first = start + (12 if is_interior else 8)
        if first + 2 * count > PAGE_BYTES:
            return None
        last_child = unpack_from(">I", raw, start + 8)[0] if is_interior else 0
        return cls(raw, kind, unpack_from(f">{count}H", raw, first), last_child)

    @property
    def is_table(self) -> bool:
        """Whether it is of a table with row ids, and not of an index or a table without."""
        return self.kind in {_TABLE_INTERIOR, _TABLE_LEAF}

    @property
    def has_records(self) -> bool:
        """Whether its entries are rows; those of a table's inner page only lead to others."""
        return self.kind != _TABLE_INTERIOR

    def children(self) -> Iterator[int]:
        """Yield the pages below, in the order of their keys."""
        if self.last_child:
            for cell in self.cells:
                with suppress(StructError):
                    yield unpack_from(">I", self.raw, cell)[0]
            yield self.last_child


class Pages:
    """Reads pages. What cannot be read is None, whatever the reason."""

    def __init__(self, path: Path) -> None:
        """Open a file and the journal beside it; one that cannot be opened has no pages."""
        wal = path.with_name(path.name + "-wal")
        self._opened = ExitStack()
        self._file = self._open(path)
        self._wal = self._open(wal)
        try:
            self._journal = Journal.read(wal)
        except OSError:
            self._journal = Journal()
        size = 0 if self._file is None else os.fstat(self._file).st_size
        self.count = self._journal.pages or size // PAGE_BYTES

    def close(self) -> None:
        """Close the files."""
        self._opened.close()

    def _open(self, path: Path) -> int | None:
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            return None
        self._opened.callback(os.close, descriptor)
        return descriptor

    def read(self, number: int) -> bytes | None:
        """Return a page, the journal's where it has one."""
        offset = self._journal.offsets.get(number)
        file, at = (self._file, (number - 1) * PAGE_BYTES) if offset is None else (self._wal, offset)
        if file is None or at < 0:
            return None
        try:
            raw = os.pread(file, PAGE_BYTES, at)
        except OSError:
            return None
        return raw if len(raw) == PAGE_BYTES else None

    def node(self, number: int) -> Node | None:
        """Return a page of a tree, or None when this is none."""
        raw = self.read(number) if 1 <= number <= self.count else None
        return None if raw is None else Node.parse(raw, number)

    def records(self, node: Node) -> Iterator[tuple[int, tuple[object, ...]] | None]:
        """Yield each row of a page: its id (0 in tables without) and its values; None for one that is lost."""
        for cell in node.cells:
            try:
                at = cell + 4 if node.kind == _INDEX_INTERIOR else cell
                size, at = varint(node.raw, at)
                row_id, at = varint(node.raw, at) if node.is_table else (0, at)
                yield row_id, decode(self._payload(node, at, size))
            except Unreadable, StructError:
                yield None

    def _payload(self, node: Node, at: int, size: int) -> bytes:
        if size > MAX_PAYLOAD_BYTES:
            raise Unreadable(f"a row of {size} bytes")
        local = size
        if size > _MOST_LOCAL[node.kind]:
            local = _LEAST_LOCAL + (size - _LEAST_LOCAL) % _OVERFLOW_BYTES
            local = local if local <= _MOST_LOCAL[node.kind] else _LEAST_LOCAL
        payload = bytearray(node.raw[at : at + local])
        following = unpack_from(">I", node.raw, at + local)[0] if local < size else 0
        while len(payload) < size:
            if not following or (page := self.read(following)) is None:
                raise Unreadable("an overflow page is missing")
            payload += page[4 : 4 + size - len(payload)]
            (following,) = unpack_from(">I", page)
        if len(payload) != size or following:
            raise Unreadable("a row is longer or shorter than it says")
        return bytes(payload)
