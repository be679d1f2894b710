"""Messages of ours: each is sent once, and is known to be with the broker."""

import asyncio

import pytest

from homeiq_server.errors import RetryLater
from homeiq_server.ingest.mqtt import link as link_module
from homeiq_server.options import Options
from tests.integration.ingest.mqtt.linked import linked, until
from tests.integration.ingest.mqtt.stub_broker import acknowledges_nothing, stub_broker
from tests.mosquitto import Mosquitto
from tests.mqtt_sender import Sender


async def test_many_at_once_are_all_acknowledged_though_the_broker_takes_few(mosquitto: Mosquitto) -> None:
    # Mosquitto lets 20 be unacknowledged, and gmqtt has no more numbers than that.
    listener = await Sender.connect(mosquitto.port)
    await listener.subscribe("alerts/#")
    async with linked(Options(mqtt_url=mosquitto.url)) as link:
        async with asyncio.TaskGroup() as group:
            for number in range(500):
                group.create_task(link.link.publish(f"alerts/{number}", b"{}"))
        assert link.link.status().publishing == 0
        await link.link.publish("alerts/at-most-once", b"{}", qos=0)
        await until(lambda: len(listener.received) >= 501)
        assert len({topic for topic, _ in listener.received}) == 501
    await listener.close()


async def test_a_retained_message_is_there_for_who_comes_later(mosquitto: Mosquitto) -> None:
    async with linked(Options(mqtt_url=mosquitto.url)) as link:
        await link.link.publish("alerts/state", b"open", retain=True)
    listener = await Sender.connect(mosquitto.port)
    await listener.subscribe("alerts/#")
    await until(lambda: listener.received == [("alerts/state", b"open")])
    await listener.close()


async def test_without_a_broker_it_is_to_be_tried_later(mosquitto: Mosquitto) -> None:
    await mosquitto.stop()
    async with linked(Options(mqtt_url=mosquitto.url), connected=False) as link:
        with pytest.raises(RetryLater, match="away"):
            await link.link.publish("alerts/1", b"{}")


async def test_a_broker_that_does_not_acknowledge_is_waited_for_a_while_and_not_sent_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_module, "_PUBLISH_S", 0.1)
    sent = 0

    def answer(kind: int, body: bytes) -> bytes | None:
        nonlocal sent
        sent += kind & 0xF0 == 0x30
        return acknowledges_nothing(kind, body)

    async with stub_broker(answer) as url, linked(Options(mqtt_url=url)) as link:
        with pytest.raises(RetryLater, match="in time"):
            await link.link.publish("alerts/1", b"{}")
        assert link.link.status().publishing == 0
        connection = link.link._connection
        assert connection is not None
        await connection.close()
        connection._on_lost()
        await until(lambda: link.link.status().state == "connected" and link.link._connection is not connection)
        await asyncio.sleep(0.1)
    assert sent == 1


async def test_a_connection_that_ends_ends_the_wait_for_it() -> None:
    def answer(kind: int, body: bytes) -> bytes | None:
        return None if kind & 0xF0 == 0x30 else acknowledges_nothing(kind, body)

    async with stub_broker(answer) as url, linked(Options(mqtt_url=url)) as link:
        with pytest.raises(RetryLater, match="lost"):
            await link.link.publish("alerts/1", b"{}")


async def test_those_who_wait_for_room_are_told_too_when_the_connection_ends() -> None:
    sent = 0

    def answer(kind: int, body: bytes) -> bytes | None:
        nonlocal sent
        sent += kind & 0xF0 == 0x30
        # Receive Maximum 2, of which gmqtt uses one.
        return b"\x20\x06\x00\x00\x03\x21\x00\x02" if kind == 0x10 else acknowledges_nothing(kind, body)

    async with stub_broker(answer) as url, linked(Options(mqtt_url=url)) as link:
        publishing = [asyncio.create_task(link.link.publish(f"alerts/{n}", b"{}")) for n in range(3)]
        await until(lambda: sent == 1)
        connection = link.link._connection
        assert connection is not None
        transport = connection._transport()
        assert transport is not None
        transport.abort()
        async with asyncio.timeout(5):  # less than what is waited for an acknowledgement
            ends = await asyncio.gather(*publishing, return_exceptions=True)
        assert all(isinstance(end, RetryLater) and "lost" in str(end) for end in ends)
    assert sent == 1
