"""Numbers by the hour."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeiq_server.insights.finding import Hour
from homeiq_server.store import hours
from homeiq_server.store.moments import moment
from homeiq_server.store.pool import Pool
from tests.integration.store.rows import AT_US, HOME, HOUR_US, SOURCE, hour, rows_of
from tests.postgres import Database

VALUES = st.lists(st.integers(-1_000, 1_000).map(float), min_size=1, max_size=30)


async def add(pool: Pool, *given: Hour) -> None:
    async with pool.tenant(HOME) as conn:
        await hours.add(conn, HOME, SOURCE, given)


async def read(pool: Pool, entity: str = "power") -> list[dict[str, object]]:
    async with pool.tenant(HOME) as conn:
        found = await hours.between(
            conn, HOME, SOURCE, entity, since=moment(AT_US), until=moment(AT_US + 100 * HOUR_US), limit=750
        )
    return [dict(row) for row in found]


def pieces(values: Sequence[float], cuts: Sequence[int], entity: str) -> list[Hour]:
    """Return the hours of parts of the values, in the order of time."""
    ends = sorted({0, len(values), *(cut % len(values) for cut in cuts)})
    return [hour(*values[start:end], entity=entity, first_us=start * 1_000_000) for start, end in pairwise(ends)]


async def test_an_hour_is_read_as_it_was_added(pool: Pool) -> None:
    await add(pool, hour(2, 4, 3))
    assert await read(pool) == [
        {"start": moment(AT_US), "count": 3, "min": 2, "max": 4, "mean": 3, "last": 3},
    ]


@pytest.mark.parametrize("together", [True, False], ids=["in one call", "in several calls"])
async def test_adding_in_pieces_in_any_order_is_adding_at_once(pool: Pool, *, together: bool) -> None:
    number = iter(range(10**6))

    @settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(values=VALUES, cuts=st.lists(st.integers(0, 30), max_size=5), random=st.randoms(use_true_random=False))
    def law(values: list[float], cuts: list[int], random: Random) -> None:
        name = f"entity_{next(number)}"
        parts = pieces(values, cuts, name)
        random.shuffle(parts)
        cases.append((name, values, parts))

    cases: list[tuple[str, list[float], list[Hour]]] = []
    law()
    for name, values, parts in cases:
        for given_together in [parts] if together else [[part] for part in parts]:
            await add(pool, *given_together)
        await add(pool, hour(*values, entity=f"{name}_whole"))
        assert await read(pool, name) == await read(pool, f"{name}_whole")


async def test_of_two_values_at_one_instant_the_order_does_not_matter(pool: Pool) -> None:
    await add(pool, hour(1, entity="a"))
    await add(pool, hour(2, entity="a"))
    await add(pool, hour(2, entity="b"), hour(1, entity="b"))
    assert [row["last"] for row in await read(pool, "a") + await read(pool, "b")] == [2, 2]


async def test_hours_and_entities_are_kept_apart(pool: Pool) -> None:
    await add(pool, hour(1), hour(2, hour_us=AT_US + HOUR_US), hour(3, entity="other"))
    assert [row["last"] for row in await read(pool)] == [1, 2]


async def test_pruning_forgets_hours_before_a_time(pool: Pool, database: Database) -> None:
    await add(pool, hour(1), hour(2, hour_us=AT_US + HOUR_US))
    async with pool.tenant(HOME) as conn:
        await hours.prune(conn, HOME, AT_US + HOUR_US)
    assert [row["last"] for row in await rows_of(database, "entity_hours")] == [2]
