"""What is acknowledged is kept, and what is not comes again."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from homeiq_server.errors import RetryLater
from homeiq_server.ingest.message import Inbound, Outcome
from homeiq_server.ingest.mqtt import link as link_module
from homeiq_server.ingest.mqtt import watch
from homeiq_server.ingest.mqtt.window import MOST_MESSAGES
from homeiq_server.options import Options
from tests.integration.ingest.mqtt.linked import Kept, linked, shared, until
from tests.mosquitto import Mosquitto
from tests.mqtt_sender import Sender

TOPIC = "tenant/home/device/d1/telemetry"


@pytest.fixture
def options(mosquitto: Mosquitto) -> Options:
    return Options(mqtt_url=mosquitto.url)


async def send(mosquitto: Mosquitto, numbers: Sequence[int], *, size: int = 0, qos: int = 1) -> None:
    sender = await Sender.connect(mosquitto.port)
    for number in numbers:
        await sender.publish(TOPIC, str(number).encode().ljust(size), qos=qos)
    await sender.sent()
    await sender.close()


def numbers_of(kept: Kept) -> list[int]:
    return [int(payload) for payload in kept.payloads]


async def test_a_message_comes_with_its_token_and_without_one(mosquitto: Mosquitto, options: Options) -> None:
    async with linked(options) as link:
        sender = await Sender.connect(mosquitto.port)
        await sender.publish(TOPIC, b"{}", token="hid_secret")
        await sender.publish("tenant/b/device/d2/heartbeat", b"\xff")
        await sender.sent()
        await sender.close()
        await until(lambda: len(link.kept.messages) == 2)
        first, second = link.kept.messages
        assert (first.transport, first.topic, first.payload, first.token) == ("mqtt", TOPIC, b"{}", "hid_secret")
        assert (second.topic, second.payload, second.token) == ("tenant/b/device/d2/heartbeat", b"\xff", None)
        await until(lambda: link.link.status().held == 0)
        assert link.link.status().received == 2


async def test_what_came_in_while_we_were_away_comes_exactly_once(mosquitto: Mosquitto, options: Options) -> None:
    async with linked(options):
        pass
    await send(mosquitto, range(500))
    async with linked(options) as link:
        await until(lambda: len(link.kept.payloads) >= 500)
    async with linked(options) as again:
        await send(mosquitto, [500])
        await until(lambda: len(again.kept.payloads) == 1)
    assert numbers_of(link.kept) == list(range(500))


async def test_it_survives_a_broker_that_restarts(mosquitto: Mosquitto, options: Options) -> None:
    async with linked(options):
        pass
    await send(mosquitto, range(100))
    await mosquitto.stop()
    await mosquitto.start()
    async with linked(options) as link:
        await until(lambda: len(link.kept.payloads) >= 100)
        await mosquitto.stop()
        await link.has("connecting")
        await mosquitto.start()
        await link.has("connected")
        await send(mosquitto, range(100, 200))
        await until(lambda: len(link.kept.payloads) >= 200)
        assert numbers_of(link.kept) == list(range(200))


async def test_what_was_not_acknowledged_when_the_process_died_comes_again_and_nothing_else(
    mosquitto: Mosquitto, options: Options
) -> None:
    async with linked(options) as first:
        await send(mosquitto, range(10))
        await until(lambda: len(first.kept.payloads) == 10)
        await until(lambda: first.link.status().held == 0)
        await asyncio.sleep(0.1)
        first.kept.gate.clear()
        await send(mosquitto, range(10, 100))
        await until(lambda: first.link.status().held == 90)
        await first.kill()
    assert numbers_of(first.kept) == list(range(10))
    async with linked(options) as second:
        await until(lambda: len(second.kept.payloads) >= 90)
        assert numbers_of(second.kept) == list(range(10, 100))


async def test_what_is_kept_when_the_connection_is_gone_already_is_not_kept_twice(
    mosquitto: Mosquitto, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "_FINISH_S", 5)
    async with linked(options) as link:
        link.kept.gate.clear()
        await send(mosquitto, [0] * 3)  # one is being taken, two wait
        await until(lambda: link.link.status().held == 3)
        await send(mosquitto, range(1, 50))
        await until(lambda: link.link.status().held == 52)
        connection = link.link._connection
        assert connection is not None
        transport = connection._transport()
        assert transport is not None
        transport.abort()
        await until(lambda: connection.why_lost is not None)
        link.kept.gate.set()
        await until(lambda: link.link._connection not in {None, connection} and len(link.kept.payloads) >= 52)
        await until(lambda: link.link.status().held == 0)
        await send(mosquitto, [50])
        await until(lambda: numbers_of(link.kept)[-1] == 50)
        assert sorted(numbers_of(link.kept)) == sorted([0, 0, *range(51)])
    async with linked(options) as again:
        await send(mosquitto, [51])
        await until(lambda: len(again.kept.payloads) >= 1)
        assert numbers_of(again.kept) == [51]


async def test_a_clean_stop_finishes_what_has_come(mosquitto: Mosquitto, options: Options) -> None:
    async with linked(options) as first:
        first.kept.gate.clear()
        await send(mosquitto, range(100))
        await until(lambda: first.link.status().held == 100)
        asyncio.get_running_loop().call_later(0.1, first.kept.gate.set)
        await first.stop()
    assert numbers_of(first.kept) == list(range(100))
    async with linked(options) as second:
        await send(mosquitto, [100])
        await until(lambda: len(second.kept.payloads) >= 1)
        assert numbers_of(second.kept) == [100]


async def test_messages_of_qos_0_are_taken_too(mosquitto: Mosquitto, options: Options) -> None:
    async with linked(options) as link:
        await send(mosquitto, range(20), qos=0)
        await until(lambda: len(link.kept.payloads) == 20)


async def test_what_cannot_be_kept_now_waits_and_is_kept_in_turn(mosquitto: Mosquitto, options: Options) -> None:
    async with linked(options) as link:
        link.kept.refusing = True
        await send(mosquitto, range(30))
        await until(lambda: link.kept.asked >= 2)
        assert link.link.status().held == 30
        link.kept.refusing = False
        await until(lambda: len(link.kept.payloads) == 30)
        assert numbers_of(link.kept) == list(range(30))
        assert link.link.status().forced_reconnects == 0


async def test_what_cannot_be_kept_in_time_is_asked_for_again(
    mosquitto: Mosquitto, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_DEADLINE_S", 0.3)
    async with linked(options) as link:
        link.kept.refusing = True
        await send(mosquitto, range(30))
        await until(lambda: link.link.status().forced_reconnects >= 2)
        link.kept.refusing = False
        await until(lambda: len(link.kept.payloads) >= 30)
        assert numbers_of(link.kept) == list(range(30))
        assert link.link.faults == 0


async def test_a_message_that_breaks_us_keeps_no_other_from_being_taken(
    mosquitto: Mosquitto, options: Options, caplog: pytest.LogCaptureFixture
) -> None:
    class Fragile(Kept):
        async def take(
            self, messages: Sequence[Inbound], kept: Callable[[Sequence[int]], None]
        ) -> list[Outcome | RetryLater]:
            if any(message.payload == b"13" for message in messages):
                raise ValueError("secret")
            return await super().take(messages, kept)

    async with linked(options, kept=Fragile()) as link:
        await send(mosquitto, range(40))
        await until(lambda: len(link.kept.payloads) == 39)
        assert numbers_of(link.kept) == [number for number in range(40) if number != 13]
        assert link.link.status().held == 1
    assert link.link.faults >= 1
    assert "a message of tenant/home/device/d1/telemetry could not be taken: ValueError" in caplog.text
    assert "secret" not in caplog.text


async def test_no_more_is_read_than_the_window_holds_whatever_the_broker_sends(tmp_path: Path) -> None:
    # A client of 3.1.1 cannot tell the broker its window.
    broker = Mosquitto(
        tmp_path / "mosquitto",
        settings={"max_queued_messages": "0", "max_inflight_messages": "0"},
        listener={"accept_protocol_versions": "3,4"},
    )
    await broker.start()
    try:
        async with linked(Options(mqtt_url=broker.url)) as link:
            link.kept.gate.clear()
            sender = await Sender.connect(broker.port, version=4)
            for number in range(6_000):
                await sender.publish(TOPIC, str(number).encode().ljust(1_000))
            await sender.sent()
            await until(lambda: link.link.status().held >= MOST_MESSAGES)
            await asyncio.sleep(0.5)
            # What one read of 64 KiB and the buffers before it had in them.
            assert link.link.status().held <= MOST_MESSAGES + 400
            link.kept.gate.set()
            await until(lambda: len(link.kept.payloads) >= 6_000)
            assert numbers_of(link.kept) == list(range(6_000))
            await sender.close()
    finally:
        await broker.stop(kill=True)


async def test_retained_messages_of_devices_are_no_news(mosquitto: Mosquitto, options: Options) -> None:
    sender = await Sender.connect(mosquitto.port)
    await sender.publish(TOPIC, b"old", retain=True)
    await sender.sent()
    async with linked(options) as link:
        await sender.publish(TOPIC, b"new", retain=True)
        await sender.sent()
        await until(lambda: len(link.kept.payloads) >= 1)
        await asyncio.sleep(0.2)
        assert link.kept.payloads == [b"new"]
    await sender.close()


async def test_a_broker_of_3_1_1_sends_retained_messages_and_they_are_counted_and_ignored(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "mosquitto", listener={"accept_protocol_versions": "3,4"})
    await broker.start()
    try:
        sender = await Sender.connect(broker.port, version=4)
        await sender.publish(TOPIC, b"old", retain=True)
        await sender.sent()
        async with linked(Options(mqtt_url=broker.url)) as link:
            assert link.link.status().protocol == "3.1.1"
            await sender.publish(TOPIC, b"new", retain=True)
            await until(lambda: link.kept.payloads == [b"new"])
            await until(lambda: link.link.status().retained == 1)
            await until(lambda: link.link.status().held == 0)
        await sender.close()
    finally:
        await broker.stop(kill=True)


async def test_two_servers_share_and_what_an_absent_one_had_or_is_due_comes_when_it_is_back(
    mosquitto: Mosquitto, options: Options
) -> None:
    group = shared(options, "servers")
    async with linked(group, client_id="one") as one, linked(group, client_id="two") as two:
        await send(mosquitto, range(1_000))
        await until(lambda: len(one.kept.payloads) + len(two.kept.payloads) == 1_000)
        assert 400 <= len(one.kept.payloads) <= 600
        one.kept.gate.clear()
        await send(mosquitto, range(1_000, 1_100))
        await until(lambda: one.link.status().held >= 40)
        await one.kill()
        await send(mosquitto, range(1_100, 6_000))
        async with linked(group, client_id="one") as back:
            every = Counter(numbers_of(one.kept))

            def all_came() -> bool:
                return len(one.kept.payloads) + len(two.kept.payloads) + len(back.kept.payloads) >= 6_000

            await until(all_came)
            every += Counter(numbers_of(two.kept)) + Counter(numbers_of(back.kept))
    assert every == Counter(range(6_000))


async def test_mosquitto_drops_what_its_own_limit_does_not_let_it_queue_for_an_absent_server(
    mosquitto: Mosquitto, options: Options
) -> None:
    """The reason for what the package's text says of ``max_queued_messages``."""
    await mosquitto.stop()
    mosquitto.settings = {}
    await mosquitto.start()
    group = replace(options, mqtt_share="servers")
    async with linked(group, client_id="one"):
        pass
    await send(mosquitto, range(3_000))
    async with linked(group, client_id="one") as back:
        await until(lambda: len(back.kept.payloads) >= 1_000)
        await send(mosquitto, [3_000])
        await until(lambda: numbers_of(back.kept)[-1] == 3_000)
        assert numbers_of(back.kept) == [*range(1_000), 3_000]
