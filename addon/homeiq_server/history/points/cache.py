"""A bounded cache with constant cost."""

from collections.abc import Hashable


class Cache[K: Hashable, V]:
    """A dictionary of two generations.

    New entries, and old ones that are used again, go to the young generation. When it is full it becomes the old
    one, and the entries of the old one are forgotten all at once: what was used within the last ``entries``
    additions is always there, and nothing is ever sorted.
    """

    def __init__(self, *, entries: int, entry_size: int = 0) -> None:
        """Hold at most twice ``entries``, none larger than ``entry_size``, by what ``put`` is told."""
        self._entries = entries
        self._entry_size = entry_size
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: K) -> V | None:
        """Return the value, or None."""
        if (value := self._young.get(key)) is not None:
            return value
        if (value := self._old.pop(key, None)) is not None:
            self._add(key, value)
        return value

    def put(self, key: K, value: V, *, size: int = 0) -> None:
        """Keep the value, unless it is too large."""
        if size <= self._entry_size:
            self._add(key, value)

    def _add(self, key: K, value: V) -> None:
        if len(self._young) >= self._entries:
            self._old, self._young = self._young, {}
        self._young[key] = value
