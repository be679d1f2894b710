"""The quarantine on a real database: a bounded sample of what was refused, as it came."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from homeiq_server.errors import RetryLater
from homeiq_server.ingest.message import NOBODY, Inbound, Reason, Refused
from homeiq_server.ingest.quarantine import A_MINUTE, PAYLOAD_BYTES, Quarantine
from homeiq_server.store.pool import Pool
from tests.integration.api.ingest_served import Switched, kept
from tests.integration.store.rows import AT_US, DAY_US
from tests.integration.store.tenant_rows import ACME, GLOBEX, add_customer
from tests.postgres import Database

type Messages = Sequence[tuple[Inbound, Refused]]


class Clock:
    """Monotonic seconds, as the test wants them."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def refused(  # noqa: PLR0913 - a message and its refusal have as many parts
    payload: bytes = b"{",
    *,
    reason: Reason = Reason.INVALID_JSON,
    tenant_id: str = ACME,
    topic: str = "tenant/acme/device/d/telemetry",
    device_id: str | None = "d",
    detail: str = "it is not JSON",
    at_us: int = AT_US,
    replay_of: int | None = None,
) -> tuple[Inbound, Refused]:
    inbound = Inbound(transport="mqtt", topic=topic, payload=payload, received_us=at_us, replay_of=replay_of)
    return inbound, Refused(reason=reason, detail=detail, tenant_id=tenant_id, device_id=device_id)


def numbered(*numbers: int) -> Messages:
    return [refused(f"{n}".encode(), at_us=AT_US + n) for n in numbers]


def quarantine(pool: Pool, *, most: int = 500, clock: Clock | None = None) -> Quarantine:
    return Quarantine(pool, kept=most, days=14, now_us=lambda: AT_US, clock=clock or Clock())


async def payloads(database: Database) -> list[bytes]:
    return [bytes(row["payload"]) for row in await kept(database)]


@pytest.fixture(autouse=True)
async def customers(database: Database) -> None:
    await add_customer(database)
    await add_customer(database, GLOBEX)


async def test_what_is_refused_is_kept_as_it_came(pool: Pool, database: Database) -> None:
    await quarantine(pool).keep([refused(b"\x00\xff{")])
    (row,) = await kept(database)
    assert row["received_at"].timestamp() * 1_000_000 == AT_US
    del row["received_at"], row["id"]
    assert row == {
        "tenant_id": ACME,
        "transport": "mqtt",
        "topic": "tenant/acme/device/d/telemetry",
        "device_id": "d",
        "reason": "INVALID_JSON",
        "detail": "it is not JSON",
        "payload": b"\x00\xff{",
        "size": 3,
        "authenticated": False,
        "state": "new",
        "attempts": 0,
    }


async def test_of_a_large_payload_the_beginning_is_kept_and_its_whole_size(pool: Pool, database: Database) -> None:
    await quarantine(pool).keep([refused(b"x" * (PAYLOAD_BYTES + 1))])
    (row,) = await kept(database)
    assert (len(row["payload"]), row["size"]) == (PAYLOAD_BYTES, PAYLOAD_BYTES + 1)


async def test_texts_that_no_table_can_hold_are_kept_as_far_as_it_can(pool: Pool, database: Database) -> None:
    hostile = "a\x00b\ud800c" + "x" * 70_000
    await quarantine(pool).keep([refused(topic=hostile, device_id=hostile, detail=hostile)])
    (row,) = await kept(database)
    for name, letters in (("topic", 512), ("device_id", 128), ("detail", 1_000)):
        assert row[name].startswith("a\ufffdb?c")
        assert len(row[name]) == letters


async def test_what_belongs_to_a_tenant_that_has_gone_is_nobodys(pool: Pool, database: Database) -> None:
    await quarantine(pool).keep([refused(tenant_id="gone"), refused()])
    assert [row["tenant_id"] for row in await kept(database)] == [NOBODY, ACME]


async def test_of_each_tenant_and_reason_the_newest_are_kept(pool: Pool, database: Database) -> None:
    keeping = quarantine(pool, most=3)
    clock = keeping._clock = Clock()
    for number in range(5):
        await keeping.keep(numbered(number))
        await keeping.keep([refused(b"other", tenant_id=GLOBEX), refused(b"[]", reason=Reason.NOT_OBJECT)])
        clock.now += 60
    counted = Counter(await payloads(database))
    assert counted == {b"2": 1, b"3": 1, b"4": 1, b"other": 3, b"[]": 3}


@pytest.mark.parametrize("most", [1, 2, 5, 9])
async def test_never_more_are_kept_whatever_comes_at_once(pool: Pool, database: Database, most: int) -> None:
    clock = Clock()
    keeping = quarantine(pool, most=most, clock=clock)
    for at_once in (1, 3, 7, 2):
        await keeping.keep(numbered(*range(at_once)))
        clock.now += 60
        assert len(await kept(database)) <= most


async def test_with_none_to_be_kept_nothing_is_asked_of_the_store(pool: Pool, database: Database) -> None:
    store = Switched(pool)
    store.is_off = True
    keeping = Quarantine(store, kept=0, days=14)
    await keeping.keep([refused()])
    assert keeping.left_out == 1
    assert await kept(database) == []


async def test_of_a_flood_a_sample_is_kept_each_minute_and_others_are_not_concerned(
    pool: Pool, database: Database
) -> None:
    clock = Clock()
    keeping = quarantine(pool, clock=clock)
    await keeping.keep(numbered(*range(A_MINUTE + 40)))
    await keeping.keep(numbered(*range(10)))
    await keeping.keep([refused(tenant_id=GLOBEX), refused(reason=Reason.NOT_OBJECT)])
    rows = Counter((row["tenant_id"], row["reason"]) for row in await kept(database))
    assert rows == {(ACME, "INVALID_JSON"): A_MINUTE, (GLOBEX, "INVALID_JSON"): 1, (ACME, "NOT_OBJECT"): 1}
    assert keeping.left_out == 50
    clock.now += 60
    await keeping.keep(numbered(1, 2))
    assert len(await kept(database)) == A_MINUTE + 4


async def test_a_replay_is_not_kept_a_second_time(pool: Pool, database: Database) -> None:
    await quarantine(pool).keep([refused(replay_of=7), refused(b"new")])
    assert await payloads(database) == [b"new"]


async def test_while_the_store_is_away_nothing_counts_as_kept(pool: Pool, database: Database) -> None:
    store = Switched(pool)
    keeping = Quarantine(store, kept=500, days=14, clock=Clock())
    store.is_off = True
    for _ in range(3):
        with pytest.raises(RetryLater):
            await keeping.keep(numbered(*range(A_MINUTE)))
    store.is_off = False
    await keeping.keep(numbered(*range(A_MINUTE)))
    assert len(await kept(database)) == A_MINUTE
    assert keeping.left_out == 0


async def test_two_servers_at_once_keep_what_they_may_and_neither_waits_for_the_other(
    pool: Pool, database: Database
) -> None:
    servers = [quarantine(pool, most=20, clock=Clock()) for _ in range(4)]
    for start in range(0, 200, 20):
        await asyncio.gather(*(server.keep(numbered(*range(start, start + 5))) for server in servers))
    await quarantine(pool, most=20).keep(numbered(300))
    assert len(await kept(database)) == 20


async def test_what_is_old_or_too_much_is_pruned(pool: Pool, database: Database) -> None:
    await quarantine(pool).keep(
        [
            *numbered(1, 2, 3, 4),
            refused(b"old", at_us=AT_US - 14 * DAY_US - 1),
            refused(b"not so old", at_us=AT_US - 14 * DAY_US, reason=Reason.NOT_OBJECT),
            refused(b"neighbour", tenant_id=GLOBEX),
        ]
    )
    await quarantine(pool, most=3).prune()
    assert set(await payloads(database)) == {b"2", b"3", b"4", b"not so old", b"neighbour"}


async def test_pruning_goes_on_when_the_store_is_away(pool: Pool, database: Database) -> None:
    store = Switched(pool)
    await quarantine(pool).keep([refused(at_us=AT_US - 30 * DAY_US)])
    store.is_off = True
    keeping = Quarantine(store, kept=5, days=14, now_us=lambda: AT_US)
    task = asyncio.create_task(keeping.run())
    await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])
    assert len(await kept(database)) == 1
    assert keeping.faults == 0
