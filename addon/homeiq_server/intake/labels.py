"""What the registries say of each entity, kept at hand for all who convert events."""

from typing import Final, Protocol

from homeiq_server.model import Labels

_SOURCES: Final = 32  # those of others are read from the store again


class LabelStore(Protocol):
    """Where labels lie, also after a restart."""

    async def labels(self, source: str) -> dict[str, Labels]:
        """Return what was stored of the source's labels; the caller owns it."""
        ...


class KnownLabels:
    """The labels of the sources that were heard of last, shared by the present and the past."""

    def __init__(self, store: LabelStore) -> None:
        self._store = store
        self._known: dict[str, dict[str, Labels]] = {}

    async def of(self, source: str) -> dict[str, Labels]:
        """Return the source's labels, read from the store after a start; what the caller adds is known to all.

        Raises:
            RetryLater: They cannot be read now.
        """
        if (known := self._known.pop(source, None)) is None:
            known = await self._store.labels(source)
            known = self._known.pop(source, known)  # another batch may have been quicker
        while len(self._known) >= _SOURCES:
            del self._known[next(iter(self._known))]
        self._known[source] = known  # now the last to be forgotten
        return known
