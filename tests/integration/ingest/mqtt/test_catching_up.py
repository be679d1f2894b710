"""What a broker kept while we were away is taken, all of it, however fast it comes; a real gate and its rates."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from homeiq_server.ingest.limits import Limits
from homeiq_server.ingest.mqtt.came import Came
from homeiq_server.ingest.mqtt.dispatch import Dispatch
from homeiq_server.ingest.mqtt.link import MqttLink
from homeiq_server.ingest.mqtt.reception import Reception
from homeiq_server.ingest.mqtt.window import MOST_MESSAGES
from homeiq_server.options import Options
from tests.integration.ingest.gates import Node, add_device, node
from tests.integration.ingest.mqtt.linked import linked, nowhere, until
from tests.integration.ingest.mqtt.stub_broker import stub_broker
from tests.integration.store.tenant_rows import KEY, add_customer
from tests.mosquitto import Mosquitto
from tests.mqtt_sender import Sender
from tests.postgres import Database
from tests.unit.homeiq_server.ingest_builders import TOKEN

DEVICES = tuple(f"d{number}" for number in range(5))
RATES = Limits(device_rate=5, device_burst=20)


@pytest.fixture
async def strict(database: Database, tmp_path: Path) -> AsyncIterator[Node]:
    """A server with the rates that are usual, and five devices of acme."""
    await add_customer(database)
    for device_id in DEVICES:
        await add_device(database, device_id)
    async with node(database, tmp_path / "node", limits=RATES) as running:
        yield running


@asynccontextmanager
async def link_of(running: Node, broker: Mosquitto) -> AsyncIterator[MqttLink]:
    link = MqttLink(Options(mqtt_url=broker.url), client_id="homeiq-test", take=running.gate.take_each, broker=nowhere)
    task = asyncio.create_task(link.run(), name="link")
    try:
        await until(lambda: link.status().state == "connected")
        yield link
    finally:
        link.stop()
        async with asyncio.timeout(20):
            await task


async def send(  # noqa: PLR0913 - what a message can be like
    broker: Mosquitto,
    devices: Sequence[str],
    count: int,
    *,
    qos: int = 1,
    token: str = TOKEN,
    size: int = 0,
) -> None:
    """Send so many messages of each device, as fast as the broker takes them."""
    sender = await Sender.connect(broker.port, version=4)
    for number in range(count):
        for device_id in devices:
            payload = json.dumps({"metrics": {"n": number}, "token": token}).encode().ljust(size)
            await sender.publish(f"tenant/acme/device/{device_id}/telemetry", payload, qos=qos)
    await sender.sent()
    await sender.close()


async def away_for_a_while(running: Node, broker: Mosquitto) -> None:
    """Have a session there, and leave."""
    async with link_of(running, broker):
        pass


async def floods_are_refused(running: Node, broker: Mosquitto, link: MqttLink) -> None:
    """A device that floods now gets its burst, and little more."""
    await until(lambda: not link.status().catching_up)
    before, others = running.gate.accepted, running.gate.refused["RATE_LIMITED_DEVICE"]
    await send(broker, DEVICES[:1], 300)
    await until(lambda: running.gate.accepted - before + running.gate.refused.total() - others >= 300)
    assert running.gate.refused["RATE_LIMITED_DEVICE"] - others >= 200


async def test_all_that_waited_is_taken_and_who_floods_afterwards_is_refused(
    strict: Node, mosquitto: Mosquitto
) -> None:
    await away_for_a_while(strict, mosquitto)
    await send(mosquitto, DEVICES, 200)
    async with link_of(strict, mosquitto) as link:
        await until(lambda: strict.gate.accepted + strict.gate.refused.total() >= 1_000)
        assert (strict.gate.accepted, strict.gate.refused) == (1_000, Counter())
        await floods_are_refused(strict, mosquitto, link)


async def test_all_that_waited_is_taken_from_a_broker_of_3_1_1_too(strict: Node, tmp_path: Path) -> None:
    broker = Mosquitto(
        tmp_path / "old", settings={"max_queued_messages": "0"}, listener={"accept_protocol_versions": "4"}
    )
    await broker.start()
    try:
        await away_for_a_while(strict, broker)
        await send(broker, DEVICES, 200)
        async with link_of(strict, broker):
            await until(lambda: strict.gate.accepted + strict.gate.refused.total() >= 1_000)
            assert (strict.gate.accepted, strict.gate.refused) == (1_000, Counter())
            # What was counted is not yet known to be with the broker.
    finally:
        await broker.stop(kill=True)


async def test_a_backlog_is_late_to_its_end_on_a_computer_that_is_too_slow_to_ever_fill_the_window(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    most_held, tell = 0, Dispatch.tell

    def tell_slowly(dispatch: Dispatch, reception: Reception, came: Came) -> asyncio.Future[int]:
        nonlocal most_held
        most_held = max(most_held, reception.held)
        time.sleep(0.0002)
        return tell(dispatch, reception, came)

    monkeypatch.setattr(Dispatch, "tell", tell_slowly)
    options = Options(mqtt_url=mosquitto.url)
    async with linked(options):
        pass
    await send(mosquitto, [f"d{number}" for number in range(20)], 600, size=1_000)
    async with linked(options) as link:
        await until(lambda: len(link.kept.messages) >= 12_000)
        assert most_held < MOST_MESSAGES / 2
        assert all(message.late for message in link.kept.messages)
        await until(lambda: not link.link.status().catching_up)
        await send(mosquitto, ["d"], 1)
        await until(lambda: len(link.kept.messages) == 12_001)
        assert not link.kept.messages[-1].late


async def test_a_session_that_is_new_has_nothing_that_waited(strict: Node, mosquitto: Mosquitto) -> None:
    async with link_of(strict, mosquitto) as link:
        assert not link.status().catching_up
        await floods_are_refused(strict, mosquitto, link)


async def test_messages_of_qos_0_that_come_among_a_backlog_are_late_as_well(mosquitto: Mosquitto) -> None:
    await mosquitto.stop()
    mosquitto.settings |= {"queue_qos0_messages": "true"}
    await mosquitto.start()
    options = Options(mqtt_url=mosquitto.url)
    async with linked(options):
        pass
    await send(mosquitto, ["d"], 50, qos=0)
    await send(mosquitto, ["d"], 1)
    async with linked(options) as link:
        await until(lambda: len(link.kept.messages) == 51)
        assert all(message.late for message in link.kept.messages)


async def test_what_is_sent_a_second_time_is_late_whenever_it_comes() -> None:
    sent = False

    def answer(kind: int, body: bytes) -> bytes | None:
        nonlocal sent
        if kind == 0x10:
            return b"\x20\x03\x00\x00\x00"  # it knows no session
        if kind != 0x82 or sent:
            return b"" if kind != 0xE0 else None
        sent = True
        topic = b"tenant/t/device/d/telemetry"
        one = b"\0" + bytes([len(topic)]) + topic
        messages = [b"%b\0\x01\0again" % one, b"%b\0\x02\0first" % one]
        publishes = [bytes([head, len(packet)]) + packet for head, packet in zip(b"\x3a\x32", messages, strict=True)]
        return b"\x90\x04" + body[:2] + b"\x00\x01" + b"".join(publishes)

    async with stub_broker(answer) as url, linked(Options(mqtt_url=url)) as link:
        await until(lambda: len(link.kept.messages) == 2)
        assert {message.payload: message.late for message in link.kept.messages} == {b"again": True, b"first": False}


async def test_a_broker_that_forbids_echoes_is_caught_up_with_in_silence(mosquitto: Mosquitto) -> None:
    rules = mosquitto.folder / "rules"
    rules.write_text("topic readwrite tenant/#\n")
    await mosquitto.stop()
    mosquitto.settings |= {"acl_file": str(rules)}
    await mosquitto.start()
    options = Options(mqtt_url=mosquitto.url)
    async with linked(options):
        pass
    await send(mosquitto, ["d"], 100)
    async with linked(options) as link:
        await until(lambda: len(link.kept.messages) == 100)
        assert all(message.late for message in link.kept.messages)
        await until(lambda: not link.link.status().catching_up)
        assert link.link.status().forced_reconnects == 0
        assert link.link.status().strays == 0


async def test_a_new_device_waits_for_the_store_and_the_others_do_not(strict: Node, mosquitto: Mosquitto) -> None:
    async with link_of(strict, mosquitto) as link:
        await send(mosquitto, DEVICES, 1)
        await until(lambda: strict.gate.accepted == 5)
        strict.store.is_down = True
        await send(mosquitto, ["new"], 40, token=KEY)
        await send(mosquitto, DEVICES, 10)
        await until(lambda: strict.gate.accepted == 55)
        await until(lambda: link.status().held == 40)
        await asyncio.sleep(1.2)
        strict.store.is_down = False
        # More than its burst, but it was not its sender who was too fast.
        await until(lambda: strict.gate.accepted == 95)
        assert strict.gate.refused == Counter()
        assert link.status().forced_reconnects == 0


async def test_a_store_that_does_not_answer_keeps_nobody_waiting_who_came_with_others(
    strict: Node, mosquitto: Mosquitto
) -> None:
    async with link_of(strict, mosquitto) as link:
        await send(mosquitto, DEVICES, 1)
        await until(lambda: strict.gate.accepted == 5)
        async with strict.store.tenant("acme") as conn:
            await conn.execute("SELECT FROM subscriptions WHERE tenant_id = 'acme' FOR UPDATE")
            for _ in range(3):
                await send(mosquitto, ["new", *DEVICES], 1, token=TOKEN)
            await send(mosquitto, ["newer"], 1, token=KEY)
            await send(mosquitto, ["newer", *DEVICES], 2, token=TOKEN)
            await until(lambda: strict.gate.accepted == 5 + 15 + 10)
            await until(lambda: link.status().held == 3)
        await until(lambda: link.status().held == 0)
        assert strict.gate.accepted == 31


async def test_what_the_broker_kept_while_we_could_keep_nothing_is_late_as_well(mosquitto: Mosquitto) -> None:
    async with linked(Options(mqtt_url=mosquitto.url)) as link:
        link.kept.refusing = True
        await send(mosquitto, ["d"], 5_000)
        await until(lambda: link.link.status().catching_up)
        link.kept.refusing = False
        await until(lambda: len(link.kept.messages) == 5_000)
        assert all(message.late for message in link.kept.messages[MOST_MESSAGES:])
        assert link.link.status().forced_reconnects == 0
