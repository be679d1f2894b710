"""What the insights remember."""

from collections.abc import Iterator

from homeiq_server.store import checkpoints
from homeiq_server.store.pool import Pool
from tests.integration.store.rows import HOME, OTHER, SOURCE, add_tenant, rows_of
from tests.postgres import Database


async def load(pool: Pool, tenant_id: str = HOME) -> list[tuple[str, str, bytes]]:
    async with pool.tenant(tenant_id) as conn:
        return [each async for each in checkpoints.load(conn, tenant_id)]


async def save(pool: Pool, *states: tuple[str, bytes], source: str = SOURCE) -> None:
    async with pool.tenant(HOME) as conn:
        await checkpoints.save(conn, HOME, source, states)


async def test_more_states_than_a_chunk_come_back_as_they_were(pool: Pool) -> None:
    def states() -> Iterator[tuple[str, bytes]]:
        return ((f"{n:05}", bytes([n % 256, 0])) for n in range(4_321))

    async with pool.tenant(HOME) as conn:
        assert await checkpoints.save(conn, HOME, SOURCE, states()) == 4_321
    assert await load(pool) == [(SOURCE, *each) for each in states()]


async def test_a_later_state_takes_the_place_of_the_earlier(pool: Pool) -> None:
    await save(pool, ("", b"engine"), ("a", b"1"))
    await save(pool, ("a", b"2"), ("a", b"3"))
    assert await load(pool) == [(SOURCE, "", b"engine"), (SOURCE, "a", b"3")]


async def test_the_same_state_again_touches_no_row(pool: Pool, database: Database) -> None:
    await save(pool, ("a", b"1"))
    before = await rows_of(database, "insight_state")
    await save(pool, ("a", b"1"))
    assert await rows_of(database, "insight_state") == before


async def test_states_are_dropped_by_source_and_key(pool: Pool) -> None:
    await save(pool, ("a", b"1"), ("b", b"2"))
    await save(pool, ("a", b"3"), source="cottage")
    async with pool.tenant(HOME) as conn:
        await checkpoints.drop(conn, HOME, SOURCE, {"a", "unknown"})
    assert await load(pool) == [("cottage", "a", b"3"), (SOURCE, "b", b"2")]


async def test_no_other_tenant_reads_them(pool: Pool, database: Database) -> None:
    await add_tenant(database)
    await save(pool, ("a", b"1"))
    assert await load(pool, OTHER) == []
