"""The outbox is emptied: a real database, a real receiver, and the worker between them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from homeiq_server.delivery import dispatch, worker
from homeiq_server.delivery.mail import Mail
from homeiq_server.delivery.message import Message, Outcome
from homeiq_server.delivery.worker import Worker
from homeiq_server.errors import RetryLater
from homeiq_server.store import outbox
from homeiq_server.store.changes import Changes
from homeiq_server.store.pool import Pool
from tests.integration.delivery.outbox_rows import (
    HOME,
    OTHER,
    SECRET,
    add_integration,
    add_route,
    attempts,
    change,
    deliveries,
    execute,
    route,
    tell,
)
from tests.integration.delivery.receivers import Received, Receiver, mailing, receiving
from tests.integration.store.rows import add_tenant
from tests.postgres import Database, open_pool
from tests.unit.homeiq_server.delivery.messages import message
from tests.unit.homeiq_server.server_builders import eventually

LOOPBACK = ("127.0.0.0/8",)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as here:
        yield here


@asynccontextmanager
async def running(*workers: Worker) -> AsyncIterator[None]:
    """Let workers work until the block ends; each must then stop by itself."""
    async with asyncio.TaskGroup() as tasks:
        for each in workers:
            tasks.create_task(each.run(), name="worker")
        yield
        for each in workers:
            each.stop()


def to_loopback(pool: Pool, **more: object) -> Worker:
    return Worker(pool, allow=LOOPBACK, **more)  # type: ignore[arg-type]


async def hook(pool: Pool, receiver: Receiver, *, tenant_id: str = HOME) -> None:
    """Let all that opens go to a receiver."""
    integration = await add_integration(pool, config={"url": receiver.url}, tenant_id=tenant_id)
    await add_route(pool, integration, tenant_id=tenant_id)


async def states(database: Database) -> Counter[str]:
    return Counter(row["state"] for row in await deliveries(database))


async def all_are(database: Database, state: str) -> bool:
    return set(await states(database)) == {state}


async def at_once(database: Database) -> None:
    """Let everything be due."""
    await execute(database, "UPDATE deliveries SET next_at = now() WHERE state = 'PENDING'")
    await execute(database, "UPDATE alert_routes SET paused_until = now() WHERE paused_until IS NOT NULL")


async def test_an_alert_reaches_its_webhook_signed_and_once(pool: Pool, database: Database, receiver: Receiver) -> None:
    await hook(pool, receiver)
    async with running(to_loopback(pool)):
        await tell(pool, change(severity=5), change(severity=3))
        await eventually(lambda: all_are(database, "DELIVERED"))
    assert len(receiver.received) == 2
    assert all(each.is_signed_by(SECRET) for each in receiver.received)
    assert sorted(each.content["data"]["severity"] for each in receiver.received) == [3, 5]
    assert [(row["number"], row["ok"], row["status"]) for row in await attempts(database)] == 2 * [(1, True, 200)]


async def test_a_new_delivery_is_sent_when_it_is_heard_of(
    pool: Pool, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_LOOK_EVERY_S", 1_000)
    await hook(pool, receiver)
    changes = Changes(pool)
    listening = asyncio.create_task(changes.run(), name="changes")
    try:
        async with running(to_loopback(pool, changes=changes)):
            await eventually(lambda: changes.is_listening)
            await tell(pool, change())
            await eventually(lambda: receiver.received)
    finally:
        listening.cancel()
        await asyncio.wait([listening])


async def test_two_servers_deliver_everything_once_between_them(
    pool: Pool, database: Database, receiver: Receiver
) -> None:
    await hook(pool, receiver)
    await tell(pool, *(change() for _ in range(300)))
    async with open_pool(database) as other, running(to_loopback(pool), to_loopback(other)):
        await eventually(lambda: all_are(database, "DELIVERED"))
    ids = Counter(each.message_id for each in receiver.received)
    assert len(ids) == 300
    assert set(ids.values()) == {1}


async def test_what_a_server_sent_and_did_not_note_before_it_died_is_sent_again_with_the_same_id(
    pool: Pool, database: Database, receiver: Receiver
) -> None:
    await hook(pool, receiver)
    await tell(pool, change())
    receiver.delay = asyncio.Event()
    dying = asyncio.create_task(to_loopback(pool).run(), name="dying")
    await eventually(lambda: receiver.received)
    await _kill(dying)
    assert await states(database) == {"SENDING": 1}
    receiver.delay.set()
    await execute(database, "UPDATE deliveries SET claimed_until = now(), next_at = now()")
    async with running(to_loopback(pool)):
        await eventually(lambda: all_are(database, "DELIVERED"))
    first, second = receiver.received
    assert first.message_id == second.message_id
    assert first.body == second.body


async def _kill(task: asyncio.Task[None]) -> None:
    """End a worker without a chance to finish anything."""
    while not task.done():
        for each in asyncio.all_tasks():
            if each is task or each.get_name().startswith("delivery "):
                each.cancel()
        await asyncio.sleep(0.01)


async def test_a_receiver_that_fails_is_tried_until_it_takes_it(
    pool: Pool, database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_LOOK_EVERY_S", 0.05)
    await hook(pool, receiver)
    receiver.answer = lambda _: web.Response(status=500 if len(receiver.received) < 4 else 200)
    await tell(pool, change())
    async with running(to_loopback(pool)):

        async def is_done() -> bool:
            await at_once(database)
            return await all_are(database, "DELIVERED")

        await eventually(is_done)
    assert [row["status"] for row in await attempts(database)] == [500, 500, 500, 200]
    assert len({each.message_id for each in receiver.received}) == 1
    assert (await route(database))["failures"] == 0


async def test_a_receiver_that_refuses_is_not_asked_again(pool: Pool, database: Database, receiver: Receiver) -> None:
    await hook(pool, receiver)
    receiver.answer = lambda _: web.Response(status=410, text="gone")
    await tell(pool, change())
    async with running(to_loopback(pool)):
        await eventually(lambda: all_are(database, "DEAD"))
    [row] = await deliveries(database)
    assert (row["attempts"], row["last_status"], row["last_error"]) == (1, 410, "it answers 410: gone")


async def test_the_wait_that_a_receiver_asks_for_is_kept(pool: Pool, database: Database, receiver: Receiver) -> None:
    await hook(pool, receiver)
    receiver.answer = lambda _: web.Response(status=429, headers={"Retry-After": "7200"})
    await tell(pool, change())
    async with running(to_loopback(pool)):
        await eventually(lambda: attempts(database))
    [row] = await deliveries(database)
    assert (row["next_at"] - row["created_at"]).total_seconds() >= 7200


async def test_a_receiver_that_is_down_gets_five_attempts_and_then_its_peace(
    pool: Pool, database: Database, receiver: Receiver
) -> None:
    await hook(pool, receiver)
    receiver.answer = lambda _: web.Response(status=503)
    await tell(pool, *(change() for _ in range(40)))
    async with running(to_loopback(pool)):
        await eventually(lambda: _is_paused(database))
        await eventually(lambda: _nothing_is_sent(database))
    assert 5 <= len(receiver.received) <= 8  # those that were under way
    assert sum(row["attempts"] for row in await deliveries(database)) == len(receiver.received)


async def _is_paused(database: Database) -> bool:
    return (await route(database))["paused_until"] is not None


async def _nothing_is_sent(database: Database) -> bool:
    return "SENDING" not in await states(database)


async def test_a_tenant_whose_receiver_hangs_delays_no_other(
    pool: Pool, database: Database, receiver: Receiver
) -> None:
    await add_tenant(database)
    await hook(pool, receiver, tenant_id=OTHER)
    async with receiving() as stuck:
        stuck.delay = asyncio.Event()
        await hook(pool, stuck)
        await tell(pool, *(change() for _ in range(100)))
        await tell(pool, *(change() for _ in range(20)), tenant_id=OTHER)
        async with running(to_loopback(pool)):
            await eventually(lambda: len(receiver.received) == 20)
            stuck.delay.set()
        assert len(stuck.received) >= 1


async def test_a_fault_in_one_delivery_stops_no_other(pool: Pool, database: Database, receiver: Receiver) -> None:
    await add_route(pool, await add_integration(pool, config={"nonsense": True}))
    await hook(pool, receiver)
    await tell(pool, change())
    here = to_loopback(pool)
    async with running(here):
        await eventually(lambda: receiver.received)
        await eventually(lambda: attempts(database))
        await eventually(lambda: here.faults)
    assert here.faults == 1


async def test_every_kind_goes_its_own_way(pool: Pool, database: Database) -> None:
    published: list[str] = []

    async def publish(topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        published.append(f"{topic} {qos} {retain} {len(payload) > 2}")

    mqtt = {"topic": "homeiq/{tenant_id}/alerts", "qos": 1, "retain": False}
    email = {"recipients": ["a@example.com"], "subject_prefix": "!"}
    async with mailing() as mailbox:
        mail = Mail(host="127.0.0.1", port=mailbox.port, security="off", sender="homeiq@example.com")
        for kind, config in (("mqtt", mqtt), ("email", email)):
            await add_route(pool, await add_integration(pool, kind, config))
        await tell(pool, change())
        async with running(Worker(pool, publish=publish, mail=mail)):
            await eventually(lambda: all_are(database, "DELIVERED"))
    assert published == ["homeiq/home/alerts 1 False True"]
    assert [recipients for recipients, _ in mailbox.mails] == [["a@example.com"]]


async def test_what_is_under_way_at_the_end_is_finished(pool: Pool, database: Database, receiver: Receiver) -> None:
    await hook(pool, receiver)
    receiver.delay = asyncio.Event()
    await tell(pool, change())
    async with running(here := to_loopback(pool)):
        await eventually(lambda: receiver.received)
        here.stop()
        receiver.delay.set()
    assert await states(database) == {"DELIVERED": 1}


async def test_it_counts_what_waits_and_what_died(pool: Pool, database: Database) -> None:
    await add_route(pool, await add_integration(pool, "home_assistant"))
    await tell(pool, change(), change())
    await execute(database, "UPDATE deliveries SET state = 'DEAD', finished_at = now() WHERE id % 2 = 0")
    here = to_loopback(pool)
    assert (here.pending, here.dead) == (None, None)
    async with running(here):
        await eventually(lambda: here.dead is not None)
    assert (here.pending, here.dead) == (1, 1)


async def test_what_could_not_be_noted_while_the_database_was_away_is_noted_when_it_is_back(
    pool: Pool, database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "_NOTE_AGAIN_S", 0.01)
    await hook(pool, receiver)
    await tell(pool, change())
    failures = iter([RetryLater("away"), RetryLater("away")])
    note = outbox.note

    async def failing(*given: object, **more: object) -> object:
        if error := next(failures, None):
            raise error
        return await note(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(outbox, "note", failing)
    async with running(to_loopback(pool)):
        await eventually(lambda: all_are(database, "DELIVERED"))
    assert len(receiver.received) == 1


async def test_only_so_many_try_something_at_once(pool: Pool, receiver: Receiver) -> None:
    receiver.delay = asyncio.Event()
    here = to_loopback(pool)
    told = message("webhook", {"url": receiver.url})

    async def one() -> Outcome | str:
        try:
            return await here.send(told)
        except RetryLater:
            return "later"

    async with running(here), asyncio.TaskGroup() as tasks:
        await eventually(lambda: here.pending is not None)
        trying = [tasks.create_task(one(), name="trial") for _ in range(6)]
        await eventually(lambda: len(receiver.received) == 4)
        receiver.delay.set()
    assert Counter(str(getattr(task.result(), "ok", "later")) for task in trying) == {"True": 4, "later": 2}


def test_nothing_that_is_secret_is_in_what_is_logged_of_a_message() -> None:
    told = Message(
        message_id="m", tenant_id="home", kind="webhook", config={}, secrets=(SECRET,), payload={"summary": "x"}
    )
    assert SECRET not in repr(told)
    assert SECRET not in repr(Received({}, b""))
