"""The registries of Home Assistants, kept as they are told: one transaction for each snapshot or diff.

Nothing is ever deleted: what is gone is marked with ``removed_at``, and is itself again when it comes back. A row that
is as it should be is not touched. A device has the id that Home Assistant gave it, which two Home Assistants share only
when one is a copy of the other: then it belongs to the one that told of it last.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from homeiq_server.errors import StaleRevision
from homeiq_server.registry import KINDS, Kind, Removed, Rows
from homeiq_server.wire.interning import Interning

from .pool import Conn, Tenants
from .registry_sql import LOAD, MERGE, REMOVE, REMOVE_ABSENT, SHAPES

_FETCHED_AT_ONCE: Final = 1_000

_REVISION: Final = "SELECT revision FROM sources WHERE tenant_id = $1 AND source = $2"
_SOURCES: Final = "SELECT source FROM sources WHERE tenant_id = $1 ORDER BY source"
# Locks the source's row, and makes it when there is none; -1 is never seen outside of the transaction.
_LOCK: Final = """
    INSERT INTO sources AS known (tenant_id, source, revision, synced_at) VALUES ($1, $2, -1, now())
    ON CONFLICT (tenant_id, source) DO UPDATE SET source = known.source RETURNING nullif(revision, -1)
"""
_SYNCED: Final = "UPDATE sources SET revision = $3, synced_at = $4 WHERE tenant_id = $1 AND source = $2"
# A plan made for any list would take it for a short one.
_PLAN_EACH: Final = "SET LOCAL plan_cache_mode = force_custom_plan"

type Changed = dict[Kind, int]
"""How many rows of each kind were new, changed, removed or back."""


class Registries:
    """The registries of all sources of one tenant."""

    def __init__(self, tenants: Tenants, tenant_id: str) -> None:
        """Keep them in the database behind ``tenants``."""
        self._tenants, self._tenant_id = tenants, tenant_id

    async def revision(self, source: str) -> int | None:
        """Return that of the newest snapshot or diff, None when there never was one.

        Raises:
            RetryLater: The database is away or busy.
        """
        async with self._tenants.tenant(self._tenant_id) as conn:
            found: int | None = await conn.fetchval(_REVISION, self._tenant_id, source)
        return found

    async def snapshot(self, source: str, revision: int, parts: Iterable[Rows]) -> Changed:
        """Let the registries of a source be what the parts hold together; of an id that comes twice the last counts.

        Each part is asked for when the one before is stored, within the transaction.

        Raises:
            StaleRevision: As new a one, or a newer one, was applied.
            RetryLater: The database is away or busy; nothing changed, unless it went while it committed.
        """
        async with self._tenants.tenant(self._tenant_id) as conn:
            writing = await _Writing.begin(conn, self._tenant_id, source)
            writing.check(revision)
            await writing.replace(parts)
            return await writing.end(revision)

    async def diff(self, source: str, revision: int, base: int, rows: Rows, removed: Removed) -> Changed:
        """Change the registries of a source; what is both removed and told of is there.

        Raises:
            StaleRevision: They are not those of the revision ``base``.
            RetryLater: The database is away or busy; nothing changed, unless it went while it committed.
        """
        async with self._tenants.tenant(self._tenant_id) as conn:
            writing = await _Writing.begin(conn, self._tenant_id, source)
            writing.check(revision, base)
            await writing.remove(removed)
            await writing.merge(rows)
            return await writing.end(revision)


class _Writing:
    """A transaction that has the source for itself."""

    def __init__(self, conn: Conn, tenant_id: str, source: str, stored: int | None) -> None:
        self._conn, self._stored = conn, stored
        self._whose = tenant_id, source
        self._at = datetime.now(UTC)  # of the lock: a writer that waited for it is the later one
        self._changed: Changed = dict.fromkeys(KINDS, 0)

    @classmethod
    async def begin(cls, conn: Conn, tenant_id: str, source: str) -> _Writing:
        stored: int | None = await conn.fetchval(_LOCK, tenant_id, source)
        await conn.execute(_PLAN_EACH)
        return cls(conn, tenant_id, source, stored)

    def check(self, revision: int, base: int | None = None) -> None:
        stored = self._stored
        if base is not None and base != stored:
            raise StaleRevision(f"the diff builds on revision {base}, {_held(stored)}: send a snapshot", stored)
        if stored is not None and revision <= stored:
            raise StaleRevision(f"revision {revision} came late, {_held(stored)}: read and send a newer one", stored)

    async def replace(self, parts: Iterable[Rows]) -> None:
        present: defaultdict[Kind, set[str]] = defaultdict(set)
        for rows in parts:
            await self.merge(rows)
            for kind in KINDS:
                present[kind].update(row.id for row in getattr(rows, kind))
        for kind in KINDS:
            await self._run(REMOVE_ABSENT, kind, list(present[kind]))

    async def merge(self, rows: Rows) -> None:
        for kind in KINDS:
            if by_id := {row.id: row for row in getattr(rows, kind)}:
                await self._run(MERGE, kind, list(by_id.values()))

    async def remove(self, removed: Removed) -> None:
        for kind in KINDS:
            if ids := getattr(removed, kind):
                await self._run(REMOVE, kind, list(ids))

    async def end(self, revision: int) -> Changed:
        await self._conn.execute(_SYNCED, *self._whose, revision, self._at)
        return self._changed

    async def _run(self, statements: dict[Kind, str], kind: Kind, what: list[Any]) -> None:
        self._changed[kind] += await self._conn.fetchval(statements[kind], *self._whose, what, self._at)


def _held(stored: int | None) -> str:
    return "and nothing is stored of this source" if stored is None else f"and {stored} is stored"


async def sources(conn: Conn, tenant_id: str) -> list[str]:
    """Return the sources that have ever sent their registries."""
    return [record["source"] for record in await conn.fetch(_SOURCES, tenant_id)]


async def load(conn: Conn, tenant_id: str, source: str) -> Rows:
    """Return all that is there of a source, without what was removed."""
    found = Rows()
    for kind, shape in SHAPES.items():
        records = conn.cursor(LOAD[kind], tenant_id, source, prefetch=_FETCHED_AT_ONCE)
        rows = [msgspec.convert(dict(record), shape) async for record in records]
        found = msgspec.structs.replace(found, **{kind: tuple(rows)})
    return Interning().rows(found)
