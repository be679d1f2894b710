"""How devices are read, as far as no request shows it; the rest is in ``api/test_devices.py``."""

import asyncio

import pytest

from homeiq_server.store import devices, findings
from homeiq_server.store.devices import Wanted
from homeiq_server.store.pool import Pool
from tests.integration.store.rows import AT_US, HOME, SOURCE, condition, device, home, tell
from tests.integration.store.rows import devices as many
from tests.postgres import Database, as_owner

AWKWARD = ["%", "_", "\\", "\\%", "100%", "a_b", "' OR true --", "$1", "ä", "Ä", "😀", "İ", "\t", '"', "{}"]


async def names(pool: Pool, search: str) -> list[str]:
    async with pool.tenant(HOME) as conn:
        return [row["name"] for row in await devices.page(conn, HOME, Wanted(search=search), limit=50)]


@pytest.mark.parametrize("text", AWKWARD)
async def test_a_search_finds_just_what_has_the_text_in_it(pool: Pool, text: str) -> None:
    awkward = [device(f"d{n}", name=f"x{name}y") for n, name in enumerate(AWKWARD)]
    await tell(pool, home(*awkward, device("plain", name="plain", model=f"m{text}")))
    expected = {f"x{name}y" for name in AWKWARD if text in name}
    found = set(await names(pool, text)) - {"xäy", "xÄy", "xİy"}
    assert found == (expected | {"plain"}) - {"xäy", "xÄy", "xİy"}
    assert set(await names(pool, f"x{text}y")) >= {f"x{text}y"}


async def test_a_page_is_one_statement_however_many_findings_there_are(pool: Pool) -> None:
    await tell(pool, home(*many(100)))
    async with pool.tenant(HOME) as conn:
        given = [condition(f"d{n:05}") for n in range(100)]
        await findings.reconcile(conn, HOME, SOURCE, given, at_us=AT_US, settled=True, evaluated=None)
        await devices.page(conn, HOME, Wanted(), limit=51)
        statements: list[object] = []
        conn.add_query_logger(statements.append)
        rows = await devices.page(conn, HOME, Wanted(), limit=51)
        await asyncio.sleep(0)  # the logger is called by the event loop
        conn.remove_query_logger(statements.append)
    assert [list(row["kinds"]) for row in rows] == [["silent"]] * 51
    assert len(statements) == 1


async def test_a_page_begins_within_the_index_wherever_it_begins(pool: Pool, database: Database) -> None:
    await tell(pool, home(*many(3_000)))
    async with as_owner(database) as owner:
        await owner.execute("ANALYZE")
    where, values = devices._where(HOME, Wanted(after=("Device 01500", "d01500")))
    async with pool.tenant(HOME) as conn:
        plan = await conn.fetch(
            f"EXPLAIN SELECT * FROM devices d WHERE {where} ORDER BY d.shown_name, d.id LIMIT 51",  # noqa: S608
            *values,
        )
    lines = [line.strip() for (line,) in plan]
    assert any("Index Scan using devices_by_name" in line for line in lines)
    assert any(line.startswith("Index Cond") and "ROW(shown_name, id)" in line for line in lines)
