"""The loop behind the insights, on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest

from homeiq_server.errors import RetryLater
from homeiq_server.insights.engine import Engine
from homeiq_server.insights.finding import Report
from homeiq_server.inspection import HOME, Inspector
from homeiq_server.model import Event, Position
from homeiq_server.registry import Area, ConfigEntry, Device, Entity, Removed, Rows
from homeiq_server.store import findings, hours
from homeiq_server.store.moments import moment
from homeiq_server.store.pool import Conn, Pool
from homeiq_server.store.registry import Registries
from homeiq_server.wire import Batch
from homeiq_server.wire.batch import Items

SOURCE = "instance"
MINUTE_US = 60_000_000
START_US = 1_795_305_600_000_000
SENSOR = "sensor.attic"
ATTIC = Device(id="attic", name="Attic sensor", integration="zha", config_entry_id="entry")
LAMP = Device(id="lamp", name="Lamp", integration="hue", area_id="kitchen")
ENTRY = ConfigEntry(id="entry", domain="zha", title="Stick", state="loaded")
ENTITY = Entity(
    id="e1",
    entity_id=SENSOR,
    device_id="attic",
    device_class="temperature",
    state_class="measurement",
    unit="°C",
    integration="zha",
    config_entry_id="entry",
)


TIDY = Rows(areas=(Area(id="roof", name="Roof"),), devices=(msgspec.structs.replace(ATTIC, area_id="roof"),))


class Store:
    """The pool, which may be away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.is_away = False

    @asynccontextmanager
    async def tenant(self, tenant_id: str) -> AsyncIterator[Conn]:
        if self.is_away:
            raise RetryLater("it is away")
        async with self._pool.tenant(tenant_id) as connection:
            yield connection


class Clock:
    def __init__(self) -> None:
        self.now_us = START_US

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture
def store(pool: Pool) -> Store:
    return Store(pool)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def registries(pool: Pool) -> Registries:
    """The registries of a home with a sensor that is in no area, and a lamp that is."""
    known = Registries(pool, HOME)
    await known.snapshot(SOURCE, 1, [Rows(config_entries=(ENTRY,), devices=(ATTIC, LAMP), entities=(ENTITY,))])
    return known


async def restored(store: Store, clock: Clock) -> Inspector:
    inspector = Inspector(store, now_us=clock)
    await inspector.restore()
    return inspector


def batch(*values: float, at_us: int, stream: str = "run") -> Batch[Event]:
    """Return changes of the sensor, a second apart."""
    events = [
        Event(SENSOR, str(value), msgspec.Raw(b"{}"), "0", None, at_us + n * 1_000_000, "01K", None)
        for n, value in enumerate(values)
    ]
    return Batch(Position(source=SOURCE, stream=stream, seq=1), Items(events, range(len(events)), ()))


async def live(inspector: Inspector, clock: Clock, *, minutes: int) -> None:
    """Let time go by in which the sensor changes once a minute."""
    for n in range(minutes):
        clock.now_us += MINUTE_US
        inspector.observe(batch(20 + n % 3, at_us=clock.now_us))


async def open_kinds(pool: Pool) -> list[str]:
    async with pool.tenant(HOME) as connection:
        rows = await findings.page(connection, HOME, findings.Wanted(), limit=100)
    return sorted(row["kind"] for row in rows)


async def counted(pool: Pool) -> int:
    """Return how many values the hours hold together."""
    async with pool.tenant(HOME) as connection:
        rows: Sequence[object] = await connection.fetch("SELECT count FROM entity_hours")
        total: int = await connection.fetchval("SELECT coalesce(sum(count), 0)::bigint FROM entity_hours")
    assert rows
    return total


@pytest.mark.usefixtures("registries")
async def test_what_holds_becomes_findings_and_health_and_what_was_measured_facts_and_hours(
    pool: Pool, store: Store, clock: Clock
) -> None:
    inspector = await restored(store, clock)
    await live(inspector, clock, minutes=30)
    await inspector.round()

    assert await open_kinds(pool) == ["missing_area"]
    assert await counted(pool) == 30
    async with pool.tenant(HOME) as connection:
        health = await connection.fetchrow("SELECT state, score FROM device_health WHERE device_id = 'attic'")
        seen = await connection.fetchval("SELECT last_seen_at FROM device_facts WHERE device_id = 'attic'")
    assert health is not None
    assert (health["state"], health["score"]) == ("learning", None)  # half an hour is not enough to judge it
    assert seen == moment(clock.now_us)
    told = inspector.status()
    assert (told.tracked, told.sources, told.faults) == (1, 1, 0)


async def test_a_finding_goes_by_itself_when_its_cause_does(
    pool: Pool, store: Store, clock: Clock, registries: Registries
) -> None:
    inspector = await restored(store, clock)
    await live(inspector, clock, minutes=30)
    await inspector.round()
    await registries.diff(SOURCE, 2, 1, TIDY, Removed())
    inspector.place(SOURCE, TIDY, Removed())
    await inspector.round()

    assert await open_kinds(pool) == []


async def test_a_change_of_the_registries_is_judged_soon(
    pool: Pool, store: Store, clock: Clock, registries: Registries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeiq_server.inspection.inspector._SOON_S", 0)
    inspector = await restored(store, clock)
    await live(inspector, clock, minutes=1)
    await inspector.round()
    await registries.diff(SOURCE, 2, 1, TIDY, Removed())
    running = asyncio.create_task(inspector.run(), name="insights")
    inspector.place(SOURCE, TIDY, Removed())
    async with asyncio.timeout(20):  # a round by itself would come after a minute
        while await open_kinds(pool):  # noqa: ASYNC110 - the database has no event
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])


@pytest.mark.usefixtures("registries")
async def test_a_restart_forgets_nothing_and_opens_nothing_twice(pool: Pool, store: Store, clock: Clock) -> None:
    before = await restored(store, clock)
    await live(before, clock, minutes=60)
    await before.round()
    await before.close()
    clock.now_us += 3 * 24 * 60 * MINUTE_US  # nothing was heard for three days: nobody was there to hear
    after = await restored(store, clock)
    after.observe(batch(20.0, at_us=clock.now_us, stream="another run"))
    await after.round()

    assert await open_kinds(pool) == ["missing_area"]
    assert after.status().tracked == 1
    async with pool.tenant(HOME) as connection:
        assert await connection.fetchval("SELECT count(*) FROM finding_changes") == 1


@pytest.mark.usefixtures("registries")
async def test_while_the_store_is_away_nothing_is_lost(pool: Pool, store: Store, clock: Clock) -> None:
    inspector = await restored(store, clock)
    await live(inspector, clock, minutes=10)
    store.is_away = True
    with pytest.raises(RetryLater):
        await inspector.round()
    await live(inspector, clock, minutes=10)
    store.is_away = False
    await inspector.round()

    assert await counted(pool) == 20
    async with pool.tenant(HOME) as connection:
        assert await connection.fetchval("SELECT count(*) FROM device_facts") == 1


@pytest.mark.usefixtures("registries")
async def test_a_fault_of_a_rule_costs_no_event_and_is_counted(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    inspector = await restored(store, clock)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Engine, "observe", broken)
    inspector.observe(batch(1.0, at_us=clock.now_us))
    inspector.observe(batch(2.0, at_us=clock.now_us))

    assert inspector.status().faults == 2


async def test_registries_that_change_while_they_are_read_are_read_again(
    store: Store, clock: Clock, registries: Registries
) -> None:
    inspector = Inspector(store, now_us=clock)
    rows = Rows(devices=(Device(id="second", name="Second"),))
    await registries.diff(SOURCE, 2, 1, rows, Removed())
    inspector.place(SOURCE, rows, Removed())  # comes before the store has been asked: it will be asked
    await inspector.restore()
    inspector.hear(SOURCE, Report(stream="run", at_us=clock.now_us))
    clock.now_us += MINUTE_US
    await inspector.round()

    async with store.tenant(HOME) as connection:
        known = await connection.fetch("SELECT device_id FROM device_health ORDER BY device_id")
    assert [row["device_id"] for row in known] == ["attic", "lamp", "second"]


async def test_a_source_without_registries_is_not_watched(store: Store, clock: Clock) -> None:
    inspector = await restored(store, clock)
    inspector.observe(batch(1.0, at_us=clock.now_us))

    assert inspector.status().tracked == 0


async def test_what_is_old_is_deleted(pool: Pool, store: Store, clock: Clock, registries: Registries) -> None:
    assert await registries.revision(SOURCE) == 1
    inspector = await restored(store, clock)
    await live(inspector, clock, minutes=10)
    await inspector.round()
    clock.now_us += 31 * 24 * 60 * MINUTE_US
    await inspector.prune()

    async with pool.tenant(HOME) as connection:
        left = await hours.between(connection, HOME, SOURCE, "e1", since=moment(0), until=moment(clock.now_us), limit=9)
    assert left == []
