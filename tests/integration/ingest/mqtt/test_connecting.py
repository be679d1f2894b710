"""Which broker, as whom, over what; and what happens when it does not let us in."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from homeiq_server.errors import RetryLater
from homeiq_server.ingest.mqtt import client
from homeiq_server.ingest.mqtt.broker import Broker
from homeiq_server.options import Options, Secret
from tests.integration.ingest.mqtt.linked import linked, until
from tests.integration.ingest.mqtt.stub_broker import only_3_1_1, stub_broker
from tests.mosquitto import Mosquitto
from tests.mqtt_sender import Sender

TOPIC = "tenant/home/device/d1/telemetry"
PASSWORD = "the-secret-of-the-broker"

type Look = Callable[[], Awaitable[Broker | None]]


@pytest.fixture
async def guarded(mosquitto: Mosquitto) -> Mosquitto:
    await mosquitto.stop()
    mosquitto.users = {"homeiq": PASSWORD, "device": "d"}
    await mosquitto.start()
    return mosquitto


def looks_for(broker: Mosquitto, password: Callable[[], str]) -> Look:
    async def look() -> Broker | None:
        return Broker(host="127.0.0.1", port=broker.port, username="homeiq", password=Secret(password()))

    return look


async def test_the_status_tells_how_it_is(mosquitto: Mosquitto) -> None:
    async with linked(Options(mqtt_url=mosquitto.url)) as link:
        status = link.link.status()
        assert (status.state, status.broker, status.protocol, status.error) == ("connected", mosquitto.url, "5", None)
        assert status.connected_since is not None
        await mosquitto.stop()
        await link.has("connecting")
        status = link.link.status()
        assert (status.protocol, status.connected_since) == (None, None)
        assert status.error
        await mosquitto.start()
        await link.has("connected")
        assert link.link.status().error is None
    assert link.link.status().state == "off"


async def test_without_a_broker_it_is_off_until_there_is_one(mosquitto: Mosquitto) -> None:
    found: list[Broker] = []

    async def look() -> Broker | None:
        return found[0] if found else None

    async with linked(Options(), broker=look, connected=False) as link:
        await asyncio.sleep(0.2)
        assert link.link.status().state == "off"
        found.append(Broker(host="127.0.0.1", port=mosquitto.port))
        await link.has("connected")


async def test_a_search_for_the_broker_that_fails_is_made_again(mosquitto: Mosquitto) -> None:
    asked = 0

    async def look() -> Broker | None:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise RetryLater("the Supervisor does not answer in time")
        return Broker(host="127.0.0.1", port=mosquitto.port)

    async with linked(Options(), broker=look):
        assert asked == 2


async def test_refused_credentials_are_told_and_looked_up_again(
    guarded: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    password = "wrong-" + PASSWORD
    async with linked(Options(), broker=looks_for(guarded, lambda: password), connected=False) as link:
        await link.has("refused")
        assert "refuses the user or the password" in (link.link.status().error or "")
        await asyncio.sleep(0.3)
        assert link.link.status().state == "refused"
        password = PASSWORD
        await link.has("connected")
        sender = await Sender.connect(guarded.port, username="device", password="d")
        await sender.publish(TOPIC, b"{}", token="hid_secret-of-the-device")
        await until(lambda: len(link.kept.messages) == 1)
        assert "secret-of-the-device" not in repr(link.kept.messages)
        await sender.close()
    assert PASSWORD not in caplog.text
    assert "secret-of-the-device" not in caplog.text
    assert sum("no connection" in record.message for record in caplog.records) == 1


async def test_credentials_of_the_options_are_shown(guarded: Mosquitto) -> None:
    options = Options(mqtt_url=guarded.url, mqtt_username="homeiq", mqtt_password=Secret(PASSWORD))
    async with linked(options) as link:
        assert link.link.status().state == "connected"


@pytest.fixture
async def encrypted(tmp_path: Path) -> Mosquitto:
    return Mosquitto(tmp_path / "encrypted", tls=True)


async def test_tls_is_checked_against_the_authority_that_was_given(
    encrypted: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    await encrypted.start()
    try:
        async with linked(Options(mqtt_url=encrypted.url, mqtt_ca_cert=encrypted.certificate)) as link:
            assert link.link.status().broker == f"mqtts://localhost:{encrypted.port}"
            await link.link.publish("answer", b"x" * 100_000)
        async with linked(Options(mqtt_url=encrypted.url), connected=False) as stranger:
            await stranger.has("refused")
            assert "certificate is not trusted" in (stranger.link.status().error or "")
        assert "is not checked" not in caplog.text
        async with linked(Options(mqtt_url=encrypted.url, mqtt_verify_ssl=False)) as careless:
            await encrypted.stop()
            await careless.has("connecting")
            await encrypted.start()
            await careless.has("connected")
        assert caplog.text.count("is not checked: mqtt_verify_ssl is off") == 1
    finally:
        await encrypted.stop(kill=True)


async def test_a_broker_that_refuses_mqtt_5_is_spoken_to_in_3_1_1(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "mosquitto", listener={"accept_protocol_versions": "4"})
    await broker.start()
    try:
        async with linked(Options(mqtt_url=broker.url)) as link:
            assert link.link.status().protocol == "3.1.1"
            sender = await Sender.connect(broker.port, version=4)
            link.kept.gate.clear()
            for number in range(50):
                await sender.publish(TOPIC, str(number).encode())
            await until(lambda: link.link.status().held == 20)  # Mosquitto's own window: nothing is acknowledged yet
            await link.kill()
            await sender.sent()
            await sender.close()
        async with linked(Options(mqtt_url=broker.url)) as again:
            await until(lambda: len(again.kept.payloads) >= 50)
            assert [int(payload) for payload in again.kept.payloads] == list(range(50))
    finally:
        await broker.stop(kill=True)


@pytest.mark.parametrize("refusal", [b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00", None], ids=["3.1.1", "5", "end"])
async def test_a_broker_that_knows_only_3_1_1_is_spoken_to_in_it_however_it_refuses(refusal: bytes | None) -> None:
    async with stub_broker(only_3_1_1(refusal)) as url, linked(Options(mqtt_url=url), other={"z/#": print}) as link:
        assert link.link.status().protocol == "3.1.1"


@pytest.mark.parametrize("refusal", [b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00"], ids=["3.1.1", "5"])
async def test_a_broker_that_says_that_it_knows_only_3_1_1_is_believed_at_once(refusal: bytes) -> None:
    versions: list[int] = []

    def answer(kind: int, body: bytes) -> bytes | None:
        if kind == 0x10:
            versions.append(body[6])
        return only_3_1_1(refusal)(kind, body)

    async with stub_broker(answer) as url, linked(Options(mqtt_url=url)):
        assert versions == [5, 4]


async def test_a_broker_that_spoke_mqtt_5_and_is_just_starting_is_not_spoken_to_in_3_1_1() -> None:
    # In 3.1.1 it would send no tokens beside payloads, and good messages would be refused.
    versions: list[int] = []

    def answer(kind: int, body: bytes) -> bytes | None:
        if kind == 0x10:
            versions.append(body[6])
            return b"\x20\x03\x00\x00\x00" if len(versions) in {1, 7} else None
        return b"\x90\x04" + body[:2] + b"\x00\x01" if kind == 0x82 else None

    async with stub_broker(answer) as url, linked(Options(mqtt_url=url), connected=False) as link:
        await until(lambda: len(versions) == 1)
        await link.has("connected")
        connection = link.link._connection
        assert connection is not None
        transport = connection._transport()
        assert transport is not None
        transport.abort()
        await until(lambda: len(versions) == 7)
        await link.has("connected")
    assert versions == [5] * 7


async def test_a_broker_that_says_nothing_is_left_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_ANSWER_S", 0.05)
    connects = 0

    def silent(kind: int, _: bytes) -> bytes:
        nonlocal connects
        connects += kind == 0x10
        return b""

    async with stub_broker(silent) as url, linked(Options(mqtt_url=url), connected=False) as link:
        await until(lambda: connects >= 4)
        assert "in time" in (link.link.status().error or "")


async def test_a_subscription_that_is_not_granted_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_ANSWER_S", 5)

    def refuses(kind: int, body: bytes) -> bytes | None:
        if kind == 0x10:
            return b"\x20\x03\x00\x00\x00"
        return b"\x90\x04" + body[:2] + b"\x00\x87" if kind == 0x82 else None

    async with stub_broker(refuses) as url, linked(Options(mqtt_url=url), connected=False) as link:
        await link.has("refused")
        assert "does not let us subscribe to tenant/+/device/+/+" in (link.link.status().error or "")


async def test_a_second_program_with_our_client_id_is_told_of(mosquitto: Mosquitto) -> None:
    async with linked(Options(mqtt_url=mosquitto.url)) as link:
        other = await Sender.connect(mosquitto.port, client_id="homeiq-test")
        await until(lambda: link.link.status().error == "another program connected with our client id")
        await other.close()
        await link.has("connected")


async def test_others_are_told_of_their_topics_also_of_what_was_retained(mosquitto: Mosquitto) -> None:
    told: list[tuple[str, bytes, bool]] = []

    def note(topic: str, payload: bytes, retained: bool) -> None:  # noqa: FBT001 - as the link calls it
        told.append((topic, payload, retained))
        if payload == b"bad":
            raise ValueError("secret")

    sender = await Sender.connect(mosquitto.port)
    await sender.publish("zigbee2mqtt/bridge/state", b"old", retain=True)
    await sender.sent()
    async with linked(Options(mqtt_url=mosquitto.url), other={"zigbee2mqtt/#": note}) as link:
        await until(lambda: len(told) == 1)
        for payload in (b"bad", b"new"):
            await sender.publish("zigbee2mqtt/bridge/state", payload)
        await sender.publish(TOPIC, b"{}")
        await until(lambda: len(told) == 3)
        await until(lambda: len(link.kept.payloads) == 1)
        assert [payload for _, payload, _ in told] == [b"old", b"bad", b"new"]
        assert [retained for _, _, retained in told] == [True, False, False]
        assert link.link.faults == 1
        assert link.link.status().held == 0
    async with linked(Options(mqtt_url=mosquitto.url)) as link:
        await sender.publish("zigbee2mqtt/bridge/state", b"nobody asks any more")
        await until(lambda: link.link.status().strays == 1)
    await sender.close()


async def test_nothing_is_left_running_after_a_stop_or_a_cancellation(mosquitto: Mosquitto) -> None:
    before = asyncio.all_tasks()
    async with linked(Options(mqtt_url=mosquitto.url)) as link:
        await mosquitto.stop()
        await link.has("connecting")
        await mosquitto.start()
        await link.has("connected")
    async with linked(Options(mqtt_url=mosquitto.url)) as link:
        link.task.cancel()
        await asyncio.wait((link.task,))
        assert link.task.cancelled()
    await mosquitto.stop()
    async with linked(Options(mqtt_url=mosquitto.url), connected=False) as link:
        await until(lambda: "does not answer" in (link.link.status().error or ""))
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() <= before


async def test_a_task_is_made_for_a_group_and_not_for_a_message(mosquitto: Mosquitto) -> None:
    async with linked(Options(mqtt_url=mosquitto.url)) as link:
        link.kept.gate.clear()
        sender = await Sender.connect(mosquitto.port)
        before = len(asyncio.all_tasks())
        for number in range(200):
            await sender.publish(TOPIC, str(number).encode())
        await until(lambda: link.link.status().held == 200)
        assert len(asyncio.all_tasks()) <= before + 1
        await sender.close()
