"""A bounded cache with constant cost."""

from collections.abc import Hashable


class Cache[K: Hashable, V]:
    """A dictionary of two generations.

    New entries, and old ones that are used again, go to the young generation. When it is full it becomes the old
    one, and the entries of the old one are forgotten all at once: what was used within the last ``entries``
    additions is always there, and nothing is ever sorted.
    """

    def __init__(self, *, entries: int, entry_size: int = 0, size: int = 0) -> None:
        """Hold little.

        Args:
            entries: Twice as many at most.
            entry_size: None is larger, by what ``put`` is told.
            size: All together have twice as much at most; 0: their number is bound enough.
        """
        self._entries = entries
        self._entry_size = entry_size
        self._limit = size
        self._young: dict[K, tuple[V, int]] = {}
        self._old: dict[K, tuple[V, int]] = {}
        self._size = 0  # of the young ones

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: K) -> V | None:
        """Return the value, or None."""
        if (entry := self._young.get(key)) is not None:
            return entry[0]
        if (entry := self._old.pop(key, None)) is not None:
            self._add(key, entry)
            return entry[0]
        return None

    def put(self, key: K, value: V, *, size: int = 0) -> None:
        """Keep the value, unless it is too large."""
        if size <= self._entry_size:
            self._add(key, (value, size))

    def _add(self, key: K, entry: tuple[V, int]) -> None:
        if (before := self._young.pop(key, None)) is not None:
            self._size -= before[1]
        if len(self._young) >= self._entries or (self._limit and self._size + entry[1] > self._limit):
            self._old, self._young, self._size = self._young, {}, 0
        self._size += entry[1]
        self._young[key] = entry
