"""Messages of devices on their way into a real queue, with a real PostgreSQL that knows the devices."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from homeiq_server.errors import RetryLater
from homeiq_server.ingest.limits import Limits
from homeiq_server.ingest.message import Accepted, Outcome, Reason, Refused
from tests.integration.ingest.gates import Node, add_device, first, node, of, until
from tests.integration.store.tenant_rows import ACME, GLOBEX, KEY, add_customer, change, count
from tests.postgres import Database
from tests.unit.homeiq_server.ingest_builders import inbound

DEVICES = "SELECT count(*) FROM ingest_devices WHERE tenant_id = $1"
QUARANTINED = "SELECT count(*) FROM quarantine WHERE tenant_id = $1 AND reason = $2"


@pytest.fixture
async def acme(database: Database, tmp_path: Path) -> AsyncIterator[Node]:
    """A server, and the tenant acme with the device d1."""
    await add_customer(database)
    await add_device(database)
    async with node(database, tmp_path) as running:
        yield running


def reasons(outcomes: Sequence[Outcome | RetryLater]) -> list[str]:
    """Return what became of messages, in short."""
    return [
        str(each.reason) if isinstance(each, Refused) else "accepted" if isinstance(each, Accepted) else "later"
        for each in outcomes
    ]


async def test_what_is_taken_is_in_the_queue_and_what_is_refused_in_the_quarantine(
    acme: Node, database: Database
) -> None:
    outcomes = await acme.gate.take([of(), of(body=b"{"), of("stranger", token="hid_x"), of(body={}), of(token=None)])

    assert reasons(outcomes) == ["accepted", "INVALID_JSON", "TOKEN_INVALID", "accepted", "TOKEN_MISSING"]
    counted = acme.queue.counted
    assert (counted.received, counted.converted, counted.skipped) == (5, 1, {"no metrics": 1})
    assert counted.rejected == {"INVALID_JSON": 1, "TOKEN_INVALID": 1, "TOKEN_MISSING": 1}
    for reason in counted.rejected:
        assert await count(database, QUARANTINED, ACME, reason) == 1
    assert acme.counts.counts[ACME, "ACCEPTED"] == 2
    (intake,) = acme.queue.intakes
    assert intake.lines.body.startswith(b"device_telemetry,device=d1,site=north,tenant=acme temperature=21.5 ")


async def test_messages_of_nobody_are_kept_for_nobody(acme: Node, database: Database) -> None:
    outcomes = await acme.gate.take(
        [
            inbound(topic="tenant/nobody/device/d1/telemetry"),
            inbound(b"[]", topic="tenant/nobody/device/d1/x"),
            inbound(topic="?"),
        ]
    )
    assert reasons(outcomes) == ["UNKNOWN_TENANT", "NOT_OBJECT", "BAD_TOPIC_FORMAT"]
    assert await count(database, "SELECT count(*) FROM quarantine WHERE tenant_id = '-'") == 3


async def test_a_flood_of_invented_tenants_is_looked_for_at_once(acme: Node) -> None:
    asked = acme.store.transactions
    invented = [inbound(topic=f"tenant/invented{number}/device/d1/telemetry") for number in range(1_000)]
    assert set(reasons(await acme.gate.take([*invented, of()]))[:-1]) == {"UNKNOWN_TENANT"}
    assert acme.store.transactions - asked <= 3  # one for all, one for acme, one for the quarantine
    await acme.gate.take(invented)
    assert acme.store.transactions - asked <= 3


async def test_a_tenant_who_did_not_exist_a_moment_ago_may_send(acme: Node, database: Database) -> None:
    message = inbound(topic="tenant/globex/device/new/telemetry", token=KEY)
    assert reasons(await acme.gate.take([message])) == ["UNKNOWN_TENANT"]
    await add_customer(database, GLOBEX)
    async with asyncio.timeout(20):
        while reasons(await acme.gate.take([message])) != ["accepted"]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)


async def test_messages_of_known_devices_ask_nobody(acme: Node) -> None:
    await acme.gate.take([of()])
    asked = acme.store.transactions
    for _ in range(20):
        await acme.gate.take([of(), of(body={"metrics": {"t": 1}})])
    assert acme.store.transactions == asked


async def test_those_who_come_at_once_share_commits_and_questions(acme: Node) -> None:
    asked = acme.store.transactions
    outcomes = await asyncio.gather(*(acme.gate.take([of()]) for _ in range(500)))
    assert all(reasons(each) == ["accepted"] for each in outcomes)
    assert len(acme.queue.intakes) <= 5
    assert acme.store.transactions - asked <= 3


async def test_nobody_is_told_before_the_commit(acme: Node) -> None:
    told: list[Accepted] = []
    acme.gate.follow(told.extend)
    acme.queue.may_go_on.clear()
    taking = asyncio.create_task(acme.gate.take([of(), of(body=b"{")]))
    await until(lambda: acme.queue.intakes)
    assert not taking.done()
    assert (told, acme.gate.accepted, acme.counts.counts) == ([], 0, {})
    acme.queue.may_go_on.set()
    outcomes = await taking
    assert told == [each for each in outcomes if isinstance(each, Accepted)]
    assert acme.gate.accepted == 1


async def test_what_comes_during_a_commit_is_the_next_one(acme: Node) -> None:
    await acme.gate.take([of()])
    acme.queue.may_go_on.clear()
    taking = [asyncio.create_task(acme.gate.take([of()]))]
    await until(lambda: len(acme.queue.intakes) == 2)
    taking += [asyncio.create_task(acme.gate.take([of(), of()])) for _ in range(100)]
    await asyncio.sleep(0.05)
    acme.queue.may_go_on.set()
    await asyncio.gather(*taking)
    assert [intake.tally.received for intake in acme.queue.intakes] == [1, 1, 200]


async def test_a_commit_has_no_more_messages_than_it_may(acme: Node) -> None:
    await acme.gate.take([of()])
    await asyncio.gather(*(acme.gate.take([of()] * 50) for _ in range(100)))
    assert max(intake.tally.received for intake in acme.queue.intakes) == 2_000


async def test_the_first_message_of_a_device_with_the_key_registers_it_and_is_taken(
    acme: Node, database: Database
) -> None:
    outcomes = await acme.gate.take([first("new"), first("new", {"site_id": "home", "metrics": {"t": 2}}), of()])
    assert [isinstance(each, Accepted) and each.provisioned for each in outcomes] == [True, False, False]
    assert await count(database, DEVICES, ACME) == 2
    assert acme.queue.counted.converted == 3
    assert await count(database, "SELECT count(*) FROM quarantine") == 0


async def test_a_first_message_that_is_refused_registers_nobody(acme: Node, database: Database) -> None:
    bad = [b"{", b"\xff", b"[]", b'{"metrics": {"": 1}}', b'{"metrics": {"t": null}}', b'{"site_id": "a b"}']
    outcomes = await acme.gate.take([first("new", body) for body in bad])
    assert not any(isinstance(each, Accepted) for each in outcomes)
    assert await count(database, DEVICES, ACME) == 1


async def test_a_hundred_first_messages_of_one_device_on_two_servers_make_one_device(
    database: Database, tmp_path: Path
) -> None:
    await add_customer(database, limit=1)
    async with node(database, tmp_path / "a") as one, node(database, tmp_path / "b") as other:
        outcomes = await asyncio.gather(*(each.gate.take([first("new")]) for each in [one, other] * 50))
        taken = [outcome for each in outcomes for outcome in each if isinstance(outcome, Accepted)]
        assert len(taken) == 100
        assert sum(each.provisioned for each in taken) == 1
        assert one.queue.counted.converted + other.queue.counted.converted == 100
    assert await count(database, DEVICES, ACME) == 1


async def test_of_fifty_new_devices_five_get_the_five_places(database: Database, tmp_path: Path) -> None:
    await add_customer(database, limit=5)
    await add_customer(database, GLOBEX)
    async with node(database, tmp_path / "a") as one, node(database, tmp_path / "b") as other:
        outcomes = await asyncio.gather(
            *([one, other][number % 2].gate.take([first(f"new{number}")]) for number in range(50)),
            one.gate.take([inbound(topic="tenant/globex/device/new1/telemetry", token=KEY)]),
        )
    became = Counter(reason for each in outcomes for reason in reasons(each))
    assert became == {"accepted": 6, "NO_SUBSCRIPTION_CAPACITY": 45}
    assert await count(database, DEVICES, ACME) == 5


async def test_a_device_that_found_no_place_gets_one_as_soon_as_there_is_one(
    database: Database, tmp_path: Path
) -> None:
    await add_customer(database, limit=0)
    async with node(database, tmp_path) as running:
        assert reasons(await running.gate.take([first("new")])) == ["NO_SUBSCRIPTION_CAPACITY"]
        asked = running.store.transactions
        await running.gate.take([first("new")])
        assert running.store.transactions - asked <= 1  # the quarantine alone
        await change(database, "UPDATE subscriptions SET device_limit = 1 WHERE tenant_id = $1", ACME)
        async with asyncio.timeout(20):
            while reasons(await running.gate.take([first("new")])) != ["accepted"]:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE ingest_devices SET status = 'REVOKED' WHERE tenant_id = 'acme'", Reason.DEVICE_REVOKED),
        ("UPDATE ingest_devices SET token_hash = 'x' WHERE tenant_id = 'acme'", Reason.TOKEN_INVALID),
        ("UPDATE subscriptions SET status = 'SUSPENDED' WHERE tenant_id = 'acme'", Reason.SUBSCRIPTION_SUSPENDED),
        ("UPDATE subscriptions SET status = 'EXPIRED' WHERE tenant_id = 'acme'", Reason.SUBSCRIPTION_EXPIRED),
        ("UPDATE tenants SET status = 'SUSPENDED' WHERE tenant_id = 'acme'", Reason.TENANT_SUSPENDED),
    ],
)
async def test_what_is_changed_anywhere_counts_for_the_next_message_on_every_server(
    database: Database, tmp_path: Path, statement: str, reason: Reason
) -> None:
    await add_customer(database)
    await add_device(database)
    async with node(database, tmp_path / "a") as one, node(database, tmp_path / "b") as other:
        for each in (one, other):
            assert reasons(await each.gate.take([of()])) == ["accepted"]
        await change(database, statement)
        async with asyncio.timeout(20):  # a notification's way, and nothing like the minute that is remembered
            for each in (one, other):
                while reasons(await each.gate.take([of()])) != [reason]:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.005)


async def test_while_the_store_is_down_known_devices_go_on_and_others_wait(acme: Node) -> None:
    await acme.gate.take([of()])
    acme.store.is_down = True
    assert reasons(await acme.gate.take([of()])) == ["accepted"]
    with pytest.raises(RetryLater, match="the store is down"):
        await acme.gate.take([first("new")])
    outcomes = await acme.gate.take_each([of(), first("new"), of(), inbound(topic="tenant/other/device/d/x")])
    assert reasons(outcomes) == ["accepted", "later", "accepted", "later"]
    assert acme.queue.counted.received == 4
    acme.store.is_down = False
    assert reasons(await acme.gate.take([first("new")])) == ["accepted"]


async def test_who_waits_for_the_store_keeps_nobody_waiting_who_came_with_him(acme: Node) -> None:
    await acme.gate.take([of()])
    told: list[int] = []
    async with acme.store.tenant(ACME) as conn:
        await conn.execute("SELECT FROM subscriptions WHERE tenant_id = 'acme' FOR UPDATE")
        taking = asyncio.create_task(acme.gate.take_each([first("new"), of(), of(body=b"{"), of()], told.extend))
        await until(lambda: len(told) == 3)
        assert acme.queue.counted.received == 4
        assert not taking.done()
    assert reasons(await taking) == ["accepted", "accepted", "INVALID_JSON", "accepted"]
    assert sorted(told) == [0, 1, 2, 3]


async def test_nobody_is_told_that_something_is_kept_that_is_not(acme: Node) -> None:
    await acme.gate.take([of()])
    acme.queue.is_full = True
    told: list[int] = []
    assert reasons(await acme.gate.take_each([of(), of(body=b"{")], told.extend)) == ["later", "later"]
    assert told == []


async def test_a_fault_is_told_when_it_is_known_of_all_others_whether_they_are_kept(
    acme: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    await acme.gate.take([of()])

    async def fail(*_: object) -> None:
        raise ValueError("of our own")

    monkeypatch.setattr(acme.gate._decisions, "settle", fail)
    acme.queue.may_go_on.clear()
    told: list[int] = []
    taking = asyncio.create_task(acme.gate.take_each([first("new"), of()], told.extend))
    await until(lambda: len(acme.queue.intakes) == 2)
    assert not taking.done()
    acme.queue.may_go_on.set()
    with pytest.raises(ValueError, match="of our own"):
        await taking
    assert told == [1]


async def test_while_the_quarantine_is_down_good_messages_go_on_and_bad_ones_wait(
    acme: Node, database: Database
) -> None:
    await acme.gate.take([of()])
    acme.quarantine.is_down = True
    with pytest.raises(RetryLater, match="the quarantine is down"):
        await acme.gate.take([of(), of(body=b"{")])
    assert acme.queue.counted.received == 1
    assert reasons(await acme.gate.take_each([of(body=b"{"), of(), of(body=b"[]")])) == ["later", "accepted", "later"]
    assert acme.queue.counted.received == 2
    acme.quarantine.is_down = False
    assert reasons(await acme.gate.take([of(), of(body=b"{")])) == ["accepted", "INVALID_JSON"]
    assert await count(database, QUARANTINED, ACME, "INVALID_JSON") == 1


async def test_while_the_queue_refuses_everybody_waits_and_nothing_is_counted(acme: Node) -> None:
    await acme.gate.take([of()])
    acme.queue.is_full = True
    with pytest.raises(RetryLater, match="the queue is full"):
        await acme.gate.take([of()])
    assert reasons(await acme.gate.take_each([of(), of(token="hid_x")])) == ["later", "later"]
    assert acme.queue.counted.received == acme.gate.accepted == 1
    assert [code for code, _ in acme.gate.channel.refusals()] == ["spool_refuses"]
    acme.queue.is_full = False
    assert reasons(await acme.gate.take([of()])) == ["accepted"]
    assert not list(acme.gate.channel.refusals())


async def test_a_device_does_not_pay_for_messages_that_could_not_be_kept(database: Database, tmp_path: Path) -> None:
    await add_customer(database)
    await add_device(database)
    limits = Limits(device_rate=0.001, device_burst=2, tenant_rate=0.001, tenant_burst=2)
    async with node(database, tmp_path, limits=limits) as running:
        running.queue.is_full = True
        for _ in range(5):
            with pytest.raises(RetryLater):
                await running.gate.take([of()])
            assert reasons(await running.gate.take_each([of()])) == ["later"]
        running.queue.is_full = False
        outcomes = await running.gate.take([of(), of(), of()])
        assert reasons(outcomes) == ["accepted", "accepted", "RATE_LIMITED_DEVICE"]


async def test_what_is_over_a_rate_is_counted_and_fills_no_quarantine(database: Database, tmp_path: Path) -> None:
    await add_customer(database)
    await add_device(database)
    async with node(database, tmp_path, limits=Limits(device_rate=0.001, device_burst=3)) as running:
        running.quarantine.is_down = True
        became = Counter(reasons(await running.gate.take([of() for _ in range(50)])))
        assert became == {"accepted": 3, "RATE_LIMITED_DEVICE": 47}
        assert running.gate.refused == {"RATE_LIMITED_DEVICE": 47}
        assert running.counts.counts[ACME, "RATE_LIMITED_DEVICE"] == 47
    assert await count(database, "SELECT count(*) FROM quarantine") == 0


async def test_a_flood_of_bad_tokens_costs_few_transactions_and_keeps_nobody_else_waiting(acme: Node) -> None:
    await acme.gate.take([of()])
    asked = acme.store.transactions
    for _ in range(50):
        await acme.gate.take([of(token="hid_x") for _ in range(100)])
    assert acme.store.transactions - asked <= 2  # a sample of them for the quarantine
    assert acme.gate.refused["TOKEN_INVALID"] == 5_000
    assert acme.gate.senders == 1
    assert reasons(await acme.gate.take([of()])) == ["accepted"]


async def test_the_same_id_in_two_tenants_is_two_devices(acme: Node, database: Database) -> None:
    await add_customer(database, GLOBEX)
    await add_device(database, "d1", GLOBEX, token="hid_globex")
    theirs = inbound(topic="tenant/globex/device/d1/telemetry")
    assert reasons(await acme.gate.take([of(), theirs, of(token="hid_globex")])) == [
        "accepted",
        "TOKEN_INVALID",
        "TOKEN_INVALID",
    ]
    assert reasons(await acme.gate.take([inbound(topic=theirs.topic, token="hid_globex")])) == ["accepted"]


async def test_a_replay_has_its_own_time_and_stays_in_the_quarantine_when_it_is_refused_again(
    acme: Node, database: Database
) -> None:
    replay: dict[str, Any] = {"token": None, "vouched": True, "replay_of": 7, "received_us": 1_780_000_000_000_000}
    outcomes = await acme.gate.take([of(**replay), of(body=b"{", **replay)])
    assert isinstance(outcomes[0], Accepted)
    assert outcomes[0].time_us == 1_780_000_000_000_000
    assert reasons(outcomes[1:]) == ["INVALID_JSON"]
    assert await count(database, "SELECT count(*) FROM quarantine") == 0


async def test_a_tenant_whose_rows_are_locked_keeps_nobody_else_waiting(acme: Node, database: Database) -> None:
    await add_customer(database, GLOBEX)
    lock = "SELECT FROM subscriptions WHERE tenant_id = 'globex' FOR UPDATE"
    async with acme.store.tenant(GLOBEX) as conn:
        await conn.execute(lock)
        waiting = asyncio.create_task(acme.gate.take([inbound(topic="tenant/globex/device/new/telemetry", token=KEY)]))
        await asyncio.sleep(0.05)
        assert reasons(await acme.gate.take([of(), first("new")])) == ["accepted", "accepted"]
        assert not waiting.done()
    assert reasons(await waiting) == ["accepted"]


async def test_who_goes_away_meanwhile_has_his_messages_counted_once_or_not_at_all(acme: Node) -> None:
    for pause_s in (0, 0.001, 0.003):
        taking = asyncio.create_task(acme.gate.take([of(), of(body=b"{"), first("new")]))
        await asyncio.sleep(pause_s)
        taking.cancel()
        await asyncio.wait([taking])
    await acme.gate.take([of()])  # what was on its way has arrived; the laws are looked at in the end


async def test_a_follower_that_fails_costs_no_message(acme: Node, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Sequence[Accepted]) -> None:
        raise ValueError

    acme.gate.follow(fail)
    assert reasons(await acme.gate.take([of()])) == ["accepted"]
    assert acme.gate.faults == 1
    assert "not all were told" in caplog.text
    acme.gate._commits._own_faults = 0


async def test_after_the_stop_nothing_is_taken_and_what_was_begun_is_done(acme: Node) -> None:
    await acme.gate.take([of()])
    acme.queue.may_go_on.clear()
    taking = asyncio.create_task(acme.gate.take([of()]))
    await until(lambda: len(acme.queue.intakes) == 2)
    acme.gate.stop()
    with pytest.raises(RetryLater, match="stopping"):
        await acme.gate.take([of()])
    with pytest.raises(RetryLater, match="stopping"):
        await acme.gate.take_each([of()])
    acme.queue.may_go_on.set()
    assert reasons(await taking) == ["accepted"]


async def test_without_history_messages_are_taken_and_told_all_the_same(database: Database, tmp_path: Path) -> None:
    await add_customer(database)
    await add_device(database)
    async with node(database, tmp_path, form=None) as running:
        assert reasons(await running.gate.take([of()])) == ["accepted"]
        assert running.queue.counted.skipped == {"history is off": 1}
        assert running.queue.intakes[0].lines.count == 0


async def test_nothing_is_nothing(acme: Node) -> None:
    assert await acme.gate.take([]) == await acme.gate.take_each([]) == []
