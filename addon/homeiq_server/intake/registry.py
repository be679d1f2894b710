"""The way of Home Assistant's registries into the store: parts are gathered, and applied when the last has come."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

import msgspec

from homeiq_server.errors import RetryLater, StaleRevision
from homeiq_server.registry import KINDS, Kind, Removed, Rows
from homeiq_server.wire.interning import Interning

from .registry_parts import Packed, Unfinished

_MAX_AT_ONCE: Final = 8  # those that wait for their turn hold a compressed part each

type OnChange = Callable[[str, Rows, Removed | None], None]
"""Is told the source, and either all there is of it and None, or the rows of a diff and what is gone."""


class RegistryStore(Protocol):
    """Where the registries lie; see ``store/registry.py``."""

    async def revision(self, source: str) -> int | None:
        """Return that of the newest snapshot or diff."""
        ...

    async def snapshot(self, source: str, revision: int, parts: Iterable[Rows]) -> Mapping[Kind, int]:
        """Let the registries of a source be what the parts hold together."""
        ...

    async def diff(self, source: str, revision: int, base: int, rows: Rows, removed: Removed) -> Mapping[Kind, int]:
        """Change the registries of a source."""
        ...


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What the sender of a part is told.

    Attributes:
        revision: That of the part.
        applied: Whether it is in the store now; a part that is not the last waits.
        changed: How many rows of each kind were new, changed, removed or back.
    """

    revision: int
    applied: bool
    changed: Mapping[Kind, int] = {}


class RegistryIntake:
    """Accepts parts of snapshots, and diffs. One at a time, so that one large home is in memory at most."""

    def __init__(self, store: RegistryStore, on_change: OnChange, *, unfinished: Unfinished | None = None) -> None:
        """Store in ``store``, and tell ``on_change`` after each commit, in order.

        It may be told the same twice: when the database went while it committed, and the sender asks again.
        """
        self._store, self._on_change = store, on_change
        self._unfinished = unfinished or Unfinished()
        self._turn = asyncio.Lock()
        self._at_once = 0

    async def revision(self, source: str) -> int | None:
        """Return that of the newest snapshot or diff that was applied, None when there never was one.

        Raises:
            RetryLater: The store is away.
        """
        return await self._store.revision(source)

    async def accept(self, part: Packed) -> Applied:
        """Take a part in; when it is the last of a snapshot, or a diff, return once all of it is stored.

        Raises:
            StaleRevision: It is out of turn, late, or builds on something else than what is stored.
            TooLarge: The snapshot is over a limit.
            RetryLater: The store is away or busy. The part may be sent again: what came before it is kept for a while.
        """
        async with self._in_turn():
            if part.base is not None:
                return await self._diff(part, part.base)
            if (before := self._unfinished.before(part)) is None:
                raise await self._out_of_turn(part)
            if part.last:
                return await self._snapshot([*before, part])
            if part.part == 0:
                await self._check_newer(part)
            self._unfinished.keep(before, part)
            return Applied(revision=part.revision, applied=False)

    async def _snapshot(self, parts: Sequence[Packed]) -> Applied:
        last, read = parts[-1], list[Rows]()
        try:
            changed = await self._store.snapshot(last.source, last.revision, _reading(parts, into=read))
        except StaleRevision as err:
            self._unfinished.drop(last.source)
            if err.revision == last.revision:  # stored by an attempt that ended without an answer
                self._on_change(last.source, _joined(_reading(parts, into=[])), None)
            raise
        self._unfinished.drop(last.source)
        self._on_change(last.source, _joined(read), None)
        return Applied(revision=last.revision, applied=True, changed=changed)

    async def _diff(self, part: Packed, base: int) -> Applied:
        told = part.unpack()
        removed = told.removed or Removed()
        try:
            changed = await self._store.diff(part.source, part.revision, base, told.rows, removed)
        except StaleRevision as err:
            if err.revision == part.revision:
                self._on_change(part.source, told.rows, removed)
            raise
        self._on_change(part.source, told.rows, removed)
        return Applied(revision=part.revision, applied=True, changed=changed)

    async def _check_newer(self, part: Packed) -> None:
        """Refuse at the first part what would be refused at the last."""
        stored = await self._store.revision(part.source)
        if stored is not None and part.revision <= stored:
            raise StaleRevision(f"revision {part.revision} came late, {stored} is stored: send a newer one", stored)

    async def _out_of_turn(self, part: Packed) -> StaleRevision:
        stored = await self._store.revision(part.source)
        return StaleRevision(f"part {part.part} is out of turn: send the snapshot again, from part 0 on", stored)

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        if self._at_once >= _MAX_AT_ONCE:
            raise RetryLater("other registries are being stored: send this part again")
        self._at_once += 1
        try:
            async with self._turn:
                yield
        finally:
            self._at_once -= 1


def _reading(parts: Sequence[Packed], *, into: list[Rows]) -> Iterator[Rows]:
    """Yield the rows of each part, and add them to ``into``."""
    interning = Interning()
    for part in parts:
        rows = interning.rows(part.unpack().rows)
        into.append(rows)
        yield rows


def _joined(parts: Iterable[Rows]) -> Rows:
    kept = list(parts)
    return Rows(**{kind: tuple(row for rows in kept for row in getattr(rows, kind)) for kind in KINDS})
