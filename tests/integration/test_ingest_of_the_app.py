"""The app with device ingest: whatever comes later, dies or is stopped, nothing that was acknowledged is lost."""

import asyncio
import gc
import logging
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import aiohttp
import psutil
import pytest

from homeiq_server import postgres
from homeiq_server.ingest import known
from homeiq_server.ingest.mqtt import link
from homeiq_server.options.declaring import Secret
from homeiq_server.store.store import Store
from tests.integration.ingest_of_the_app import (
    UNLIMITED,
    Device,
    accepted,
    brokering,
    change,
    has_store,
    ingesting,
    is_up,
    open_folder,
    reasons,
    register,
    send,
    sending,
    telemetry,
)
from tests.integration.store.own_server import QUICK, OwnServer, own_server
from tests.mosquitto import PROGRAM, Mosquitto
from tests.mqtt_sender import Sender
from tests.postgres import PROGRAMS, Database
from tests.unit.homeiq_server.history.fake_database import FakeDatabase, running
from tests.unit.homeiq_server.server_builders import Client, Json, eventually, laws_hold, serving

pytestmark = pytest.mark.skipif(
    not (PROGRAMS / "postgres").exists() or not PROGRAM.exists(),
    reason="there is no PostgreSQL or no Mosquitto here: scripts/setup brings them",
)


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


@pytest.fixture(scope="module")
def fresh() -> Iterator[OwnServer]:
    """A server that never runs, to be copied: making one takes seconds."""
    with own_server() as made:
        yield made


@pytest.fixture
def server(fresh: OwnServer) -> Iterator[OwnServer]:
    with own_server(fresh) as made:
        yield made


async def _is_well(client: Client) -> bool:
    return not await reasons(client)


async def _has(client: Client, *wanted: str) -> bool:
    return set(wanted) <= await reasons(client)


async def _has_accepted(client: Client, number: int) -> bool:
    return await accepted(client) >= number


async def _send_by_mqtt(broker: Mosquitto, device: Device, number: int) -> None:
    async with sending(broker) as sender:
        for _ in range(number):
            await sender.publish(device.topic(), telemetry(), token=device.token)
        await sender.sent()


@pytest.mark.parametrize("first", ["postgresql", "broker"])
async def test_what_devices_sent_meanwhile_arrives_whichever_of_broker_and_postgresql_comes_first(
    folder: Path, server: OwnServer, first: str
) -> None:
    chosen = ingesting(folder, broker := Mosquitto(folder / "mosquitto"), server, **UNLIMITED)
    try:
        server.start()
        await broker.start()
        async with serving(chosen) as client:
            await eventually(partial(is_up, client))
            (device,) = await register(client, "d1")
        await _send_by_mqtt(broker, device, 40)  # it waits for the session of the server
        await broker.stop()
        server.stop()
        async with serving(chosen) as client:
            await eventually(partial(_has, client, "mqtt_connecting", "store_unreachable"))
            assert (await send(client, device)).status == 503
            if first == "postgresql":
                server.start()
                await eventually(partial(has_store, client))
                await broker.start()
            else:
                await broker.start()
                await eventually(partial(_holds, client, 40))
                server.start()
            await eventually(partial(_has_accepted, client, 40))
            await eventually(partial(_is_well, client))
            status = await client.status()
            assert status["ingest"]["accepted"] == 40
            assert status["ingest"]["faults"] == 0
            assert laws_hold(status)
    finally:
        await broker.stop()


async def _holds(client: Client, number: int) -> bool:
    return bool((await client.status())["ingest"]["mqtt"]["held"] == number)


async def test_a_broker_that_refuses_us_is_told_with_the_remedy_and_tried_again(
    folder: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "_REFUSED_PAUSE_S", 0.2)
    async with brokering(folder, users={"homeiq": "another"}) as broker:
        chosen = ingesting(folder, broker, database, mqtt_username="homeiq", mqtt_password=Secret("right"))
        async with serving(chosen) as client:
            await eventually(partial(has_store, client))
            await eventually(partial(_has, client, "mqtt_refused"))
            status = await client.status()
            assert "mqtt_password" in status["reasons"][0]["message"]
            assert status["status"] == "degraded"
            await broker.stop()
            broker.users = {"homeiq": "right"}
            await broker.start()
            await eventually(partial(_is_well, client))
            # The store comes after the first look at the outbox; the next one is soon.
            await eventually(partial(_knows_the_outbox, client))


async def _knows_the_outbox(client: Client) -> bool:
    ingest = (await client.status())["ingest"]
    return (ingest["deliveries_pending"], ingest["deliveries_dead"]) == (0, 0)


_BETWEEN_S = 0.02


class _Devices:
    """Devices that send all the time by both ways, and count what was acknowledged."""

    def __init__(self, client: Client, sender: Sender, devices: list[Device]) -> None:
        self._client, self._sender, self._devices = client, sender, devices
        self.acknowledged = 0
        self.refused: set[int] = set()
        self._is_over = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(way(device), name=f"device {device.device_id}")
            for device in self._devices
            for way in (self._by_http, self._by_mqtt)
        ]
        try:
            yield
        finally:
            self._is_over = True
            await asyncio.gather(*tasks)
            await self._sender.sent()

    @property
    def by_mqtt(self) -> int:
        return len(self._sender.acknowledged)

    async def _by_http(self, device: Device) -> None:
        while not self._is_over:
            with suppress(aiohttp.ClientError):
                answer = await send(self._client, device)
                if answer.status == 202:
                    self.acknowledged += 1
                else:
                    self.refused.add(answer.status)
            await asyncio.sleep(_BETWEEN_S)

    async def _by_mqtt(self, device: Device) -> None:
        while not self._is_over:
            await self._sender.publish(device.topic(), telemetry(), token=device.token)
            await asyncio.sleep(_BETWEEN_S)


async def test_while_postgresql_is_away_known_devices_go_on_for_a_while_and_nobody_is_called_silent(
    folder: Path, server: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "UNHEARD_S", 2)
    monkeypatch.setattr(postgres, "Store", partial(Store, pace=QUICK))
    server.start()
    async with brokering(folder) as broker, serving(ingesting(folder, broker, server, **UNLIMITED)) as client:
        await eventually(partial(is_up, client))
        devices = await register(client, "d1", "d2", "d3")
        rule = {"name": "silence", "kind": "NO_TELEMETRY", "silence_s": 5}
        await change(client, "POST", "/tenant/v1/alert-rules", rule)
        async with sending(broker) as sender:
            load = _Devices(client, sender, devices)
            async with load.running():
                await eventually(lambda: load.acknowledged > 30)
                (silent,) = await register(client, "silent")
                await asyncio.to_thread(server.stop)
                assert (await send(client, devices[0])).status == 202
                assert (await send(client, silent)).status == 503
                assert (await send(client, Device(device_id="x", token="hid_x", tenant_id="nobody"))).status == 503
                await eventually(lambda: load.refused == {503})
                assert "store_unreachable" in await reasons(client)
                await asyncio.sleep(6)  # longer than the silence that the rule allows
                back_at = datetime.now(UTC)
                await asyncio.to_thread(server.start)
                await eventually(partial(_alerts_of, client, "silent"))
                (alert,) = await _alerts_of(client, "silent")
                # What was not heard because of us is no silence.
                assert datetime.fromisoformat(alert["opened_at"]) - back_at >= timedelta(seconds=5)
            assert not await _alerts_of(client, "d1", "d2", "d3")
            await eventually(partial(_has_accepted, client, load.acknowledged + load.by_mqtt + 1))
            await eventually(partial(_is_well, client))
            status = await client.status()
            # A device's answer may be lost when it is stopped, the message is not.
            assert load.acknowledged + load.by_mqtt + 1 <= status["ingest"]["accepted"]
            assert status["ingest"]["accepted"] <= load.acknowledged + load.by_mqtt + 1 + len(devices)
            assert status["ingest"]["faults"] == 0
            assert laws_hold(status)


async def _alerts_of(client: Client, *device_ids: str) -> list[Json]:
    answer = await client.get("/tenant/v1/alerts")
    if answer.status == 503:
        return []
    assert answer.status == 200, answer
    return [alert for alert in answer.body["alerts"] if alert["device_id"] in device_ids]


async def test_the_apps_own_postgresql_is_killed_under_load_and_all_goes_on(folder: Path) -> None:
    async with brokering(folder) as broker, serving(ingesting(folder, broker, None, **UNLIMITED)) as client:
        await eventually(partial(is_up, client))
        devices = await register(client, "d1", "d2", "d3")
        async with sending(broker) as sender:
            load = _Devices(client, sender, devices)
            async with load.running():
                await eventually(lambda: load.acknowledged > 30)
                for process in _own_postgres():
                    process.kill()
                await eventually(partial(_registers, client, "new"))
                before = load.acknowledged
                await eventually(lambda: load.acknowledged > before + 30)
            assert load.refused <= {503}
            await eventually(partial(_has_accepted, client, load.acknowledged + load.by_mqtt))
            await eventually(partial(_is_well, client))
            status = await client.status()
            assert status["ingest"]["accepted"] <= load.acknowledged + load.by_mqtt + len(devices)
            assert status["ingest"]["faults"] == 0
            assert laws_hold(status)


def _own_postgres() -> list[psutil.Process]:
    parents = [child for child in psutil.Process().children() if child.name() == "postgres"]
    return [*parents, *(each for parent in parents for each in parent.children())]


async def _registers(client: Client, device_id: str) -> bool:
    """Tell whether a device can be registered now; one that was is let go again."""
    path = f"{client.api}/tenant/v1/devices"
    made = await client.ask("POST", path, json={"device_id": device_id}, headers=client.bearer)
    if made.status == 409:  # the answer to the time before was lost
        return True
    return made.status == 201


async def test_under_load_the_app_stops_in_time_in_order_and_with_all_that_was_acknowledged(
    folder: Path, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(FakeDatabase()) as history, brokering(folder) as broker, sending(broker) as sender:
        chosen = ingesting(folder, broker, database, history=True, influx_url=history.url, **UNLIMITED)
        before = asyncio.all_tasks()
        async with aiohttp.ClientSession() as session, AsyncExitStack() as sends:
            async with serving(chosen) as client:
                await eventually(partial(is_up, client))
                devices = await register(client, *(f"d{n}" for n in range(10)))
                load = _Devices(Client(session, chosen), sender, devices)
                await sends.enter_async_context(load.running())
                await eventually(lambda: load.acknowledged > 100)
                began = time.monotonic()
            took = time.monotonic() - began
        assert took < 11  # as the app promises
        gc.collect()
        await asyncio.sleep(0)
        assert {task.get_name() for task in asyncio.all_tasks() - before} == set()
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
        assert "never retrieved" not in caplog.text
        async with serving(chosen) as client:
            await eventually(partial(_has_received, client, load.acknowledged + load.by_mqtt))
            status = await client.status()
            await eventually(lambda: len(history.stored) >= load.acknowledged + load.by_mqtt)
            assert laws_hold(status)


async def test_a_postgresql_that_hangs_does_not_keep_ingest_from_stopping_in_time(
    folder: Path, server: OwnServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.start()
    try:
        async with brokering(folder) as broker, sending(broker) as sender:
            chosen = ingesting(folder, broker, server, **UNLIMITED)
            async with aiohttp.ClientSession() as session, AsyncExitStack() as sends:
                async with serving(chosen) as client:
                    await eventually(partial(is_up, client))
                    (device,) = await register(client, "d1")
                    strangers = [Device(device_id=f"x{n}", token="hid_x") for n in range(3)]
                    load = _Devices(Client(session, chosen), sender, [device, *strangers])
                    await sends.enter_async_context(load.running())
                    await eventually(lambda: load.acknowledged > 10)
                    server.hold(signal.SIGSTOP)
                    before = load.acknowledged
                    await eventually(lambda: load.acknowledged > before + 10)  # who is known goes on
                    began = time.monotonic()
                assert time.monotonic() - began < 11
            assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    finally:
        server.hold(signal.SIGCONT)


async def _has_received(client: Client, number: int) -> bool:
    """Tell whether so many messages were taken, before the last stop and since."""
    return bool((await client.status())["intake"].get("telemetry", {"converted": 0})["converted"] >= number)


async def test_who_waits_for_news_is_answered_at_the_stop(folder: Path, database: Database) -> None:
    async with brokering(folder) as broker:
        async with serving(ingesting(folder, broker, database)) as client:
            await eventually(partial(is_up, client))
            cursors = {
                path: (await client.get(f"/tenant/v1/{path}")).body["cursor"]
                for path in ("device-states", "alert-changes")
            }
            paths = [f"/tenant/v1/{path}?wait_s=30&after={cursor}" for path, cursor in cursors.items()]
            paths.append("/tenant/v1/home-assistant-events?wait_s=30")
            urls = [base + path for base in (client.api, client.page) for path in paths]
            waiting = [asyncio.create_task(client.ask("GET", url, headers=client.bearer), name=url) for url in urls]
            await asyncio.sleep(0.5)
            assert not any(task.done() for task in waiting)
        answers = await asyncio.gather(*waiting)
    assert [answer.status for answer in answers] == [200] * len(urls)
