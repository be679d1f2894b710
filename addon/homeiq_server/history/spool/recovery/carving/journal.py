"""The journal (WAL) beside a database file: which of its frames hold, also beyond one that does not.

SQLite reads up to the first frame whose checksum is wrong, because there the last commit was torn. A bit that flips
later looks the same to it, and all commits behind it vanish without a word. But a frame's checksum goes on from the
one that is written in the frame before: so what follows a bad frame can be told good or bad all the same.
"""

import os
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple, Self

PAGE_BYTES: Final = 4_096

_HEADER: Final = Struct(">8I")  # magic, format, page size, checkpoint, two salts, two checksums
_FRAME: Final = Struct(">6I")  # page, size after commit, two salts, two checksums
_MAGIC: Final = 0x377F0682  # its last bit: the checksums are of big-endian words
_CHECKED_BYTES: Final = 8  # of a frame's header
_WORD: Final = 0xFFFF_FFFF

type _Sums = tuple[int, int]


class _Frame(NamedTuple):
    page: int
    size: int
    salts: tuple[int, int]
    sums: _Sums


@dataclass(slots=True)
class Journal:
    """What the journal adds to the file.

    Attributes:
        offsets: Where the newest committed content of each page lies.
        pages: The database's size in pages after the last commit; None when no commit is here.
        is_damaged: There are commits here that SQLite would pass over.
    """

    offsets: dict[int, int] = field(default_factory=dict)
    pages: int | None = None
    is_damaged: bool = False

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the journal, 4 MiB in about 0.1 s; one that is missing, or no file, is empty.

        Raises:
            OSError: The disk does not give it.
        """
        journal = cls()
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                journal._scan(descriptor)
            finally:
                os.close(descriptor)
        return journal

    def _scan(self, descriptor: int) -> None:
        raw = os.pread(descriptor, _HEADER.size, 0)
        if len(raw) < _HEADER.size:
            return
        header = _HEADER.unpack(raw)
        is_swapped = header[0] & 1 == 0
        is_whole = _checksum(raw[: _HEADER.size - 8], (0, 0), is_swapped=is_swapped) == header[6:]
        is_whole = is_whole and header[0] & ~1 == _MAGIC & ~1 and header[2] == PAGE_BYTES
        salts = header[4:6] if is_whole else None
        sums: _Sums = header[6:]
        waiting: dict[int, int] = {}
        at = _HEADER.size
        while len(raw := os.pread(descriptor, _FRAME.size + PAGE_BYTES, at)) == _FRAME.size + PAGE_BYTES:
            frame = _frame(raw)
            salts = salts or frame.salts
            if frame.salts == salts and _sums(raw, sums, is_swapped=is_swapped) == frame.sums:
                waiting[frame.page] = at + _FRAME.size
                if frame.size:
                    self._commit(waiting, frame.size, is_behind=not is_whole)
            else:
                is_whole = False
            sums = frame.sums
            at += _FRAME.size + PAGE_BYTES

    def _commit(self, waiting: dict[int, int], pages: int, *, is_behind: bool) -> None:
        self.offsets.update(waiting)
        waiting.clear()
        self.pages = pages
        self.is_damaged |= is_behind


def _frame(raw: bytes) -> _Frame:
    page, size, salt, other_salt, sums, other_sums = _FRAME.unpack_from(raw)
    return _Frame(page, size, (salt, other_salt), (sums, other_sums))


def _sums(raw: bytes, before: _Sums, *, is_swapped: bool) -> _Sums:
    sums = _checksum(raw[:_CHECKED_BYTES], before, is_swapped=is_swapped)
    return _checksum(raw[_FRAME.size :], sums, is_swapped=is_swapped)


def _checksum(raw: bytes, sums: _Sums, *, is_swapped: bool) -> _Sums:
    words = array("I", raw)
    if is_swapped != _IS_LITTLE:
        words.byteswap()
    one, other = sums
    pairs = iter(words)
    for word, next_word in zip(pairs, pairs, strict=True):
        one = (one + word + other) & _WORD
        other = (other + next_word + one) & _WORD
    return one, other


_IS_LITTLE: Final = array("I", b"\1\0\0\0")[0] == 1
