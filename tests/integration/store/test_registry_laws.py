"""Any snapshots and diffs leave the store equal to a model of it."""

from collections.abc import Sequence

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeiq_server.registry import KINDS, Device, Entity, Floor, Kind, Removed, Rows
from homeiq_server.store.pool import Pool
from homeiq_server.store.registry import Registries, load

_IDS = st.sampled_from(("a", "b", "c", "d"))
_TEXTS = st.none() | st.sampled_from(("", "x", 'quo"te', "\\u0000", "Küche 🏠", "unknown"))
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.sampled_from(("", "x", "{}", "\\")),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(("k", "é")), inner, max_size=2),
    max_leaves=4,
)
_FLOORS = st.builds(Floor, id=_IDS, name=st.just("f"), level=st.none() | st.integers(-(2**31), 2**31 - 1))
_DEVICES = st.builds(
    Device,
    id=_IDS,
    name=_TEXTS,
    integration=_TEXTS,
    labels=st.lists(_IDS, max_size=2).map(tuple),
    identifiers=st.lists(st.tuples(_IDS, _IDS), max_size=2).map(tuple),
)
_ENTITIES = st.builds(
    Entity,
    id=_IDS,
    entity_id=_IDS,
    name=_TEXTS,
    registered=st.booleans(),
    supported_features=st.integers(-(2**63), 2**63 - 1),
    capabilities=st.dictionaries(st.sampled_from(("min", "max")), _JSON, max_size=2),
)
_ROWS = st.builds(
    Rows,
    floors=st.lists(_FLOORS, max_size=3).map(tuple),
    devices=st.lists(_DEVICES, max_size=4).map(tuple),
    entities=st.lists(_ENTITIES, max_size=4).map(tuple),
)
_REMOVED = st.builds(
    Removed, devices=st.lists(_IDS, max_size=2).map(tuple), entities=st.lists(_IDS, max_size=2).map(tuple)
)
_SNAPSHOTS = st.lists(_ROWS, max_size=2)
_DIFFS = st.tuples(_ROWS, _REMOVED)


class Model:
    """The registries of a source, and all ids that were ever in them."""

    def __init__(self) -> None:
        self.present: dict[Kind, dict[str, msgspec.Struct]] = {kind: {} for kind in KINDS}
        self.ever: dict[Kind, set[str]] = {kind: set() for kind in KINDS}

    def snapshot(self, parts: Sequence[Rows]) -> None:
        self.present = {kind: {} for kind in KINDS}
        for rows in parts:
            self._take(rows)

    def diff(self, rows: Rows, removed: Removed) -> None:
        for kind in KINDS:
            for id_ in getattr(removed, kind):
                self.present[kind].pop(id_, None)
        self._take(rows)

    def _take(self, rows: Rows) -> None:
        for kind in KINDS:
            told = {row.id: row for row in getattr(rows, kind)}
            self.present[kind] |= told
            self.ever[kind] |= told.keys()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(_SNAPSHOTS | _DIFFS, max_size=5))
async def test_the_store_is_what_was_told(pool: Pool, steps: Sequence[list[Rows] | tuple[Rows, Removed]]) -> None:
    await _clear(pool)
    registries, model = Registries(pool, "home"), Model()
    await registries.snapshot("s", 1, [])
    for revision, step in enumerate(steps, start=2):
        match step:
            case list():
                model.snapshot(step)
                await registries.snapshot("s", revision, step)
                assert not any((await registries.snapshot("t", revision, [])).values())
            case (rows, removed):
                model.diff(rows, removed)
                await registries.diff("s", revision, revision - 1, rows, removed)
        assert await _present(pool) == model.present
    assert await _ever(pool) == model.ever


async def _clear(pool: Pool) -> None:
    async with pool.tenant("home") as conn:
        for table in (*KINDS, "sources"):
            await conn.execute(f"DELETE FROM {table}")  # noqa: S608 - names of the code


async def _present(pool: Pool) -> dict[Kind, dict[str, msgspec.Struct]]:
    async with pool.tenant("home") as conn:
        found = await load(conn, "home", "s")
    return {kind: {row.id: row for row in getattr(found, kind)} for kind in KINDS}


async def _ever(pool: Pool) -> dict[Kind, set[str]]:
    async with pool.tenant("home") as conn:
        return {
            kind: {record["id"] for record in await conn.fetch(f"SELECT id FROM {kind}")}  # noqa: S608 - as above
            for kind in KINDS
        }
