"""The registries in a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import pytest

from homeiq_server.errors import RetryLater, StaleRevision
from homeiq_server.registry import KINDS, Area, ConfigEntry, Device, Entity, Floor, Kind, Label, Removed, Rows
from homeiq_server.store.pool import Conn, Pool
from homeiq_server.store.registry import Registries, load, sources
from tests.postgres import Database, as_owner

LAMP: Final = Device(
    id="d1",
    name="Lamp",
    manufacturer="IKEA",
    area_id="kitchen",
    integration="zha",
    config_entry_id="c1",
    labels=("l1", "l2"),
    identifiers=(("zha", "00:11"), ("other", "x", "y")),
    connections=(("zigbee", "00:11"),),
)
LIGHT: Final = Entity(
    id="e1",
    entity_id="light.lamp",
    device_id="d1",
    integration="zha",
    supported_features=2**40,
    capabilities={"min": 0, "max": 254, "modes": ["a", "b"], "deep": {"x": None}},
    labels=("l1",),
)
HOME: Final = Rows(
    floors=(Floor(id="f1", name="Ground", level=0),),
    areas=(Area(id="kitchen", name="Kitchen", floor_id="f1"), Area(id="hall", name="Hall")),
    labels=(Label(id="l1", name="Old"),),
    config_entries=(ConfigEntry(id="c1", domain="zha", title="Zigbee", state="loaded"),),
    devices=(LAMP, Device(id="d2", via_device_id="d1")),
    entities=(LIGHT, Entity(id="sun.sun", entity_id="sun.sun", registered=False)),
)
NOTHING: Final = dict.fromkeys(KINDS, 0)


@pytest.fixture
def registries(pool: Pool) -> Registries:
    return Registries(pool, "home")


async def stored(pool: Pool, source: str = "s") -> Rows:
    async with pool.tenant("home") as conn:
        return await load(conn, "home", source)


async def everything(database: Database, columns: str = "*") -> dict[Kind, list[dict[str, Any]]]:
    """Return all rows, removed ones and the database's own marks of writing among them."""
    async with as_owner(database) as owner:
        return {kind: await table(owner, kind, columns) for kind in KINDS}


async def table(conn: Conn, kind: Kind, columns: str = "*") -> list[dict[str, Any]]:
    query = f"SELECT {columns} FROM {kind} ORDER BY id"  # noqa: S608 - names of this file
    return [dict(record) for record in await conn.fetch(query)]


async def one(database: Database, kind: Kind, id_: str, columns: str = "*") -> dict[str, Any]:
    (found,) = [row for row in (await everything(database, f"{columns}, id"))[kind] if row["id"] == id_]
    return found


def changed(**counts: int) -> dict[str, int]:
    return dict.fromkeys(KINDS, 0) | counts


def of(rows: Rows, **kinds: Sequence[msgspec.Struct]) -> Rows:
    return msgspec.structs.replace(rows, **{kind: tuple(values) for kind, values in kinds.items()})


async def test_what_was_sent_is_what_is_loaded(registries: Registries, pool: Pool) -> None:
    counts = await registries.snapshot("s", 1, [HOME])
    assert counts == changed(floors=1, areas=2, labels=1, config_entries=1, devices=2, entities=2)
    by_id = {kind: sorted(getattr(HOME, kind), key=lambda row: row.id) for kind in KINDS}
    assert await stored(pool) == of(Rows(), **by_id)
    assert await registries.revision("s") == 1
    assert await registries.revision("other") is None
    async with pool.tenant("home") as conn:
        assert await sources(conn, "home") == ["s"]


async def test_a_snapshot_sent_twice_touches_no_row(registries: Registries, database: Database) -> None:
    await registries.snapshot("s", 1, [HOME])
    before = await everything(database, "*, xmin, xmax, ctid")

    assert await registries.snapshot("s", 2, [HOME]) == NOTHING

    assert await everything(database, "*, xmin, xmax, ctid") == before
    assert await registries.revision("s") == 2


async def test_only_what_differs_is_written(registries: Registries, database: Database) -> None:
    await registries.snapshot("s", 1, [HOME])
    before = await everything(database, "*, xmin")
    moved = msgspec.structs.replace(LAMP, area_id="hall")

    assert await registries.snapshot("s", 2, [of(HOME, devices=(moved, HOME.devices[1]))]) == changed(devices=1)

    after = await everything(database, "*, xmin")
    was, is_ = before["devices"][0], after["devices"][0]
    assert is_["area_id"] == "hall"
    assert is_["updated_at"] > was["updated_at"]
    assert is_["created_at"] == was["created_at"]
    assert (after["devices"][1], after["entities"]) == (before["devices"][1], before["entities"])


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        *(("devices", name, "new") for name in Device.__struct_fields__[1:17]),
        ("devices", "labels", ("l2", "l1")),
        ("devices", "identifiers", (("zha", "00:12"),)),
        ("devices", "connections", ()),
        *(("entities", name, "new") for name in Entity.__struct_fields__[1:15]),
        ("entities", "registered", False),
        ("entities", "supported_features", -1),
        ("entities", "capabilities", {"min": 1}),
        ("entities", "labels", ()),
        ("config_entries", "state", "setup_retry"),
        ("floors", "level", -1),
    ],
)
async def test_a_change_of_any_field_is_stored(
    registries: Registries, pool: Pool, kind: Kind, field: str, value: object
) -> None:
    await registries.snapshot("s", 1, [HOME])
    new = msgspec.structs.replace(getattr(HOME, kind)[0], **{field: value})

    assert await registries.diff("s", 2, 1, of(Rows(), **{kind: [new]}), Removed()) == changed(**{kind: 1})

    assert new in getattr(await stored(pool), kind)


async def test_a_rename_keeps_the_identity_and_its_past(registries: Registries, database: Database) -> None:
    await registries.snapshot("s", 1, [HOME])
    before = await one(database, "entities", "e1")
    renamed = msgspec.structs.replace(LIGHT, entity_id="light.kitchen", name="Kitchen lamp")

    await registries.diff("s", 2, 1, Rows(entities=(renamed,)), Removed())

    after = await one(database, "entities", "e1")
    assert (after["entity_id"], after["name"]) == ("light.kitchen", "Kitchen lamp")
    assert after["created_at"] == before["created_at"]
    assert len((await everything(database))["entities"]) == 2


async def test_an_integration_that_is_not_there_stays_null(registries: Registries, database: Database) -> None:
    literal = Device(id="d3", integration="unknown")
    await registries.snapshot("s", 1, [of(HOME, devices=(LAMP, Device(id="d2"), literal))])
    found = {row["id"]: row["integration"] for row in (await everything(database))["devices"]}
    assert found == {"d1": "zha", "d2": None, "d3": "unknown"}

    await registries.diff("s", 2, 1, Rows(devices=(Device(id="d2", integration="hue"),)), Removed())
    assert (await one(database, "devices", "d2"))["integration"] == "hue"


async def test_capabilities_are_objects_in_the_database(registries: Registries, pool: Pool, database: Database) -> None:
    await registries.snapshot("s", 1, [HOME])
    async with pool.tenant("home") as conn:
        kinds = await conn.fetch("SELECT jsonb_typeof(capabilities) AS of FROM entities")
        assert {record["of"] for record in kinds} == {"object"}
        assert await conn.fetchval("SELECT (capabilities ->> 'max')::int FROM entities WHERE id = 'e1'") == 254
        assert await conn.fetchval("SELECT jsonb_typeof(identifiers) FROM devices WHERE id = 'd1'") == "array"
    assert (await one(database, "entities", "e1"))["capabilities"] == LIGHT.capabilities
    assert (await one(database, "entities", "sun.sun"))["capabilities"] == {}


async def test_what_is_removed_is_marked_and_what_comes_back_is_itself_again(
    registries: Registries, pool: Pool, database: Database
) -> None:
    await registries.snapshot("s", 1, [HOME])
    first = await one(database, "devices", "d1")

    assert await registries.snapshot("s", 2, [of(HOME, devices=HOME.devices[1:])]) == changed(devices=1)
    gone = await one(database, "devices", "d1")
    assert gone["removed_at"] == gone["updated_at"] > first["updated_at"]
    assert LAMP not in (await stored(pool)).devices
    assert await registries.snapshot("s", 3, [of(HOME, devices=HOME.devices[1:])]) == NOTHING
    assert await one(database, "devices", "d1") == gone

    assert await registries.diff("s", 4, 3, Rows(devices=(LAMP,)), Removed()) == changed(devices=1)
    back = await one(database, "devices", "d1")
    assert back == first | {"updated_at": back["updated_at"]}


async def test_a_diff_removes_by_id_once(registries: Registries, database: Database) -> None:
    await registries.snapshot("s", 1, [HOME])
    removed = Removed(devices=("d1", "never"), entities=("e1",), areas=("hall",))
    assert await registries.diff("s", 2, 1, Rows(), removed) == changed(devices=1, entities=1, areas=1)
    before = await everything(database, "*, xmin")
    assert await registries.diff("s", 3, 2, Rows(), removed) == NOTHING
    assert await everything(database, "*, xmin") == before


async def test_what_is_both_removed_and_told_of_is_there(registries: Registries, pool: Pool) -> None:
    await registries.snapshot("s", 1, [HOME])
    await registries.diff("s", 2, 1, Rows(devices=(LAMP,)), Removed(devices=("d1",)))
    assert LAMP in (await stored(pool)).devices


async def test_of_an_id_that_comes_twice_the_last_counts(registries: Registries, pool: Pool) -> None:
    twice = [Device(id="d", name=name) for name in ("a", "b", "c")]
    await registries.snapshot("s", 1, [Rows(devices=tuple(twice[:2])), Rows(devices=(twice[2],))])
    assert (await stored(pool)).devices == (twice[2],)


async def test_parts_make_one_snapshot(registries: Registries, pool: Pool) -> None:
    await registries.snapshot("s", 1, [HOME])
    parts = [of(Rows(), **{kind: getattr(HOME, kind)}) for kind in KINDS]
    assert await registries.snapshot("s", 2, parts) == NOTHING
    assert await registries.snapshot("s", 3, []) == {kind: len(getattr(HOME, kind)) for kind in KINDS}
    assert await stored(pool) == Rows()


async def test_names_and_ids_of_any_characters_fit_into_the_indexes(registries: Registries, pool: Pool) -> None:
    wide = ["".join(map(chr, range(start, start + 1_000))) for start in (0x20000, 0x21000, 0x22000)]
    source, id_, name = wide[0][:255], wide[1][:255], wide[2]
    home = Rows(devices=(Device(id=id_, name=name),), entities=(Entity(id=id_, entity_id=id_, device_id=id_),))

    await registries.snapshot(source, 1, [home])

    assert await stored(pool, source) == of(home, devices=[Device(id=id_, name=name[:255])])
    assert await registries.snapshot(source, 2, [home]) == NOTHING


async def test_a_diff_on_a_wrong_base_is_refused_with_what_is_stored(registries: Registries, pool: Pool) -> None:
    with pytest.raises(StaleRevision, match="nothing is stored") as unknown:
        await registries.diff("s", 2, 1, HOME, Removed())
    assert unknown.value.revision is None
    assert await registries.revision("s") is None

    await registries.snapshot("s", 5, [HOME])
    for base, revision in ((4, 6), (6, 7), (5, 5), (5, 4)):
        with pytest.raises(StaleRevision, match="5") as wrong:
            await registries.diff("s", revision, base, Rows(), Removed(devices=("d1",)))
        assert wrong.value.revision == 5
    assert LAMP in (await stored(pool)).devices


async def test_a_change_while_a_snapshot_is_on_its_way_is_not_undone_by_it(registries: Registries, pool: Pool) -> None:
    await registries.snapshot("s", 1, [HOME])
    newest = msgspec.structs.replace(LAMP, name_by_user="Newest")
    await registries.diff("s", 20, 1, Rows(devices=(newest,)), Removed())

    for late in (10, 20):
        with pytest.raises(StaleRevision) as stale:
            await registries.snapshot("s", late, [HOME])
        assert stale.value.revision == 20

    assert newest in (await stored(pool)).devices
    assert await registries.revision("s") == 20


class Within:
    """Lets the registries write within a transaction that stays open."""

    def __init__(self, conn: Conn) -> None:
        self._conn = conn

    @asynccontextmanager
    async def tenant(self, _tenant_id: str) -> AsyncIterator[Conn]:
        yield self._conn


async def _until_waiting(database: Database, task: asyncio.Task[Any]) -> None:
    """Return when the task waits for a lock in the database, or has ended without."""
    async with as_owner(database) as owner:
        while not task.done() and not await owner.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
            pass


@pytest.mark.parametrize("first", [True, False], ids=["first_sync", "later_sync"])
async def test_a_writer_waits_for_the_one_before_and_then_sees_what_it_did(
    registries: Registries, pool: Pool, database: Database, *, first: bool
) -> None:
    if not first:
        await registries.snapshot("s", 1, [HOME])
    newest = of(HOME, devices=[msgspec.structs.replace(LAMP, name_by_user="Newest")])
    async with pool.tenant("home") as open_transaction:
        await Registries(Within(open_transaction), "home").snapshot("s", 5, [newest])
        late = asyncio.create_task(registries.snapshot("s", 3, [HOME]))
        await _until_waiting(database, late)
    with pytest.raises(StaleRevision) as stale:
        await late
    assert stale.value.revision == 5
    assert (await stored(pool)).devices == newest.devices


async def test_of_snapshots_at_once_the_newest_is_what_is_stored_whole(registries: Registries, pool: Pool) -> None:
    def home(n: int) -> Rows:
        return Rows(
            devices=tuple(Device(id=f"d{i}", name=str(n)) for i in (range(200) if n % 2 else range(199, -1, -1)))
        )

    tried = await asyncio.gather(
        *(registries.snapshot("s", n, [home(n)]) for n in (3, 1, 5, 2, 4)), return_exceptions=True
    )

    assert all(isinstance(each, dict | StaleRevision) for each in tried), tried
    assert isinstance(tried[2], dict)
    assert await registries.revision("s") == 5
    assert {device.name for device in (await stored(pool)).devices} == {"5"}


async def test_two_homes_that_share_devices_do_not_lock_each_other_out(registries: Registries, pool: Pool) -> None:
    ids = [f"d{i:03}" for i in range(300)]
    for turn in range(1, 6):
        await asyncio.gather(
            registries.snapshot("a", turn, [Rows(devices=tuple(Device(id=id_) for id_ in ids))]),
            registries.snapshot("b", turn, [Rows(devices=tuple(Device(id=id_) for id_ in reversed(ids)))]),
        )
    counts = [len((await stored(pool, source)).devices) for source in ("a", "b")]
    assert sorted(counts) == [0, 300]  # of the one that came last


async def test_a_source_sees_and_removes_its_own_alone(registries: Registries, pool: Pool) -> None:
    other = Rows(areas=(Area(id="kitchen", name="Küche"),), devices=(Device(id="d9"),), entities=(LIGHT,))
    await registries.snapshot("s", 1, [HOME])
    await registries.snapshot("t", 1, [other])
    await registries.snapshot("t", 2, [Rows()])
    assert len((await stored(pool)).devices) == 2
    assert HOME.areas[0] in (await stored(pool)).areas
    assert await stored(pool, "t") == Rows()


async def test_two_thousand_devices_are_one_transaction(registries: Registries, database: Database) -> None:
    devices = [Device(id=f"d{n}") for n in range(2_000)]
    async with as_owner(database) as owner:
        await owner.execute("CREATE TABLE commits (xact xid8)")
        await owner.execute("GRANT INSERT ON commits TO homeiq_app")
        await owner.execute("""
            CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO homeiq.commits VALUES (pg_current_xact_id()); RETURN NULL; END $$;
            CREATE TRIGGER note AFTER INSERT OR UPDATE ON devices FOR EACH STATEMENT EXECUTE FUNCTION note();
        """)
        await registries.snapshot("s", 1, [Rows(devices=tuple(devices[n : n + 500])) for n in range(0, 2_000, 500)])
        assert await owner.fetchval("SELECT count(DISTINCT xmin::text) FROM devices") == 1
        statements = await owner.fetch("SELECT xact FROM commits")
    assert len(set(statements)) == 1
    assert len(statements) == 4 * 2 + 1  # an upsert counts twice; and one for what is gone


async def test_a_part_that_fails_leaves_nothing(registries: Registries, pool: Pool) -> None:
    await registries.snapshot("s", 1, [HOME])
    before = await stored(pool)

    def parts() -> Any:  # noqa: ANN401 - ends with an error
        yield Rows(devices=tuple(Device(id=f"x{n}") for n in range(250)))
        raise RetryLater("away")

    with pytest.raises(RetryLater):
        await registries.snapshot("s", 2, parts())
    assert await stored(pool) == before
    assert await registries.revision("s") == 1


async def test_another_tenant_sees_nothing_of_it(registries: Registries, pool: Pool, database: Database) -> None:
    async with as_owner(database) as owner:
        await owner.execute("INSERT INTO tenants (tenant_id, name) VALUES ('next', 'Next door')")
    await registries.snapshot("s", 1, [HOME])
    await Registries(pool, "next").snapshot("s", 1, [Rows(devices=(Device(id="d1", name="Theirs"),))])
    assert LAMP in (await stored(pool)).devices
    async with pool.tenant("next") as conn:
        assert await load(conn, "next", "s") == Rows(devices=(Device(id="d1", name="Theirs"),))
        assert await load(conn, "home", "s") == Rows()
