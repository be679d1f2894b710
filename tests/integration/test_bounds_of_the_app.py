"""What strangers send fills neither memory nor disk, and keeps nobody else waiting."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.ingest_of_the_app import (
    UNLIMITED,
    Device,
    brokering,
    channel,
    ingesting,
    is_up,
    open_folder,
    sending,
    settle,
    telemetry,
    token_of,
)
from tests.mosquitto import PROGRAM
from tests.postgres import Database
from tests.unit.homeiq_server.server_builders import Client, eventually, laws_hold, serving

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="there is no Mosquitto here: scripts/setup brings it")

MEBIBYTE = 1024 * 1024
BY_MQTT = BY_HTTP = 25_000
STRANGERS = 20_000
BATCH = 500


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


async def test_a_flood_of_invented_devices_and_tenants_leaves_memory_and_disk_as_they_were(
    folder: Path, database: Database
) -> None:
    async with brokering(folder, settings={"max_queued_messages": "0"}) as broker:
        chosen = ingesting(folder, broker, database, ingest_batch=BATCH, **UNLIMITED)
        async with serving(chosen) as client:
            await eventually(partial(is_up, client))
            await settle(client, "loud", "d1")
            (good,) = await settle(client, "quiet", "d1")
            await _by_http(client, range(BATCH))
            before = psutil.Process().memory_info().rss
            async with sending(broker) as sender:
                for number in range(BY_MQTT):
                    await sender.publish(_topic("loud", number), telemetry(), token=f"hid_{number}")
                    if number % 500 == 0:
                        await sender.publish(good.topic(), telemetry(), token=good.token)
                await _by_http(client, range(BY_MQTT, BY_MQTT + BY_HTTP))
                for number in range(STRANGERS):
                    await sender.publish(_topic(f"nobody-{number}", 1), telemetry(), token="hid_x")
                    if number % 500 == 0:
                        await sender.publish(good.topic(), telemetry(), token=good.token)
                await sender.sent()
                sent = len(sender.acknowledged)
            await eventually(partial(_has_received, client, BATCH + BY_HTTP + sent))
            status = await client.status()
            grown = psutil.Process().memory_info().rss - before
            good_ones = BY_MQTT // 500 + STRANGERS // 500
            assert status["ingest"]["accepted"] == good_ones
            assert status["ingest"]["refused"] == {
                "UNREGISTERED_DEVICE": BATCH + BY_MQTT + BY_HTTP,
                "UNKNOWN_TENANT": STRANGERS,
            }
            assert status["ingest"]["senders"] <= 2  # nobody is remembered who has not proved who he is
            assert status["ingest"]["mqtt"]["forced_reconnects"] == status["ingest"]["faults"] == 0
            assert laws_hold(status)
            kept = (await client.get("/operator/v1/quarantine?limit=500")).body["quarantine"]
            assert 60 <= len(kept) <= 240  # so many a minute
            reader = {"Authorization": f"Bearer {await token_of(client, 'loud', ['quarantine:read'])}"}
            path = f"{client.api}/tenant/v1/quarantine?limit=500"
            kept = (await client.ask("GET", path, headers=reader)).body["quarantine"]
            assert 60 <= len(kept) <= 240
            assert grown < 96 * MEBIBYTE, grown / MEBIBYTE


def _topic(tenant_id: str, number: int) -> str:
    return Device(device_id=f"invented-{number}", tenant_id=tenant_id, token=None).topic()


async def _by_http(client: Client, numbers: range) -> None:
    for first in numbers[::BATCH]:
        messages: list[Any] = [
            {
                "tenant_id": "loud",
                "device_id": f"invented-{number}",
                "msg_type": "telemetry",
                "token": "hid_wrong",
                "metrics": {"temperature": 21.5},
            }
            for number in range(first, first + BATCH)
        ]
        answer = await client.ask("POST", f"{client.api}/ingest/v1/batch", data=json.dumps({"messages": messages}))
        assert answer.status == 202, answer
        assert answer.body["rejected"] == BATCH


async def _has_received(client: Client, number: int) -> bool:
    return bool(channel(await client.status())["received"] >= number)
