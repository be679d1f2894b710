"""What the registries say of each entity, kept at hand for all who convert events."""

from collections.abc import Mapping
from itertools import islice
from typing import Final, Protocol

from homeiq_server.model import Labels

_SOURCES: Final = 32  # those of others are read from the store again
MAX_KNOWN: Final = 50_000  # entities, of all sources
MAX_OF_SOURCE: Final = 20_000  # as many as the store keeps


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

    async def of(self, source: str) -> Mapping[str, Labels]:
        """Return the source's labels, read from the store after a start; ``tell`` adds to them.

        Raises:
            RetryLater: They cannot be read now.
        """
        if (known := self._known.pop(source, None)) is None:
            known = await self._store.labels(source)
            known = self._known.pop(source, known)  # another batch may have been quicker
        self._known[source] = known  # now the last to be forgotten
        self._forget()
        return known

    def tell(self, source: str, labels: Mapping[str, Labels]) -> None:
        """Take in what a source tells of some of its entities; of too many, those go that it told of first."""
        if not labels or (known := self._known.get(source)) is None:
            return
        for entity_id, told in labels.items():
            known.pop(entity_id, None)  # what is told again is the last to go
            known[entity_id] = told
        for entity_id in list(islice(known, max(0, len(known) - MAX_OF_SOURCE))):
            del known[entity_id]
        self._forget()

    def _forget(self) -> None:
        """Keep to the bounds; what is forgotten lies in the store."""
        count = sum(map(len, self._known.values()))
        while len(self._known) > _SOURCES or (count > MAX_KNOWN and len(self._known) > 1):
            count -= len(self._known.pop(next(iter(self._known))))
