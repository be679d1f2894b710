"""InfluxData's own client of version 2; that of version 1 is tried in ``tests/e2e/test_core_influxdb.py``."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.client.write import point
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from tests.unit.homeiq_server.api.influx.influx_builders import Sender
from tests.unit.homeiq_server.history.fake_database import FakeDatabase
from tests.unit.homeiq_server.server_builders import eventually

Point: Any = point.Point  # the library is not typed
AT = datetime(2026, 9, 21, 13, 33, 20, tzinfo=UTC)


async def with_client(sender: Sender, use: Callable[[Any], object], *, token: str = "", gzip: bool = False) -> Any:  # noqa: ANN401
    """Let the client do something, in a thread of its own."""

    def run() -> object:
        with InfluxDBClient(sender.client.api, token=token or sender.token, org="home", enable_gzip=gzip) as client:
            return use(client)

    return await asyncio.to_thread(run)


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
async def test_its_points_arrive(sender: Sender, database: FakeDatabase, *, gzip: bool) -> None:
    points = [
        Point("my home").tag("room", "living room").field("temp", 21.5).field("n", 5).field("ok", value=True).time(AT),
        Point("said").field("text", 'a "b", c\\d').time(AT),
    ]

    def write(client: Any) -> None:  # noqa: ANN401  # the library is not typed
        client.write_api(write_options=SYNCHRONOUS).write(bucket="any", record=points)

    await with_client(sender, write, gzip=gzip)

    await eventually(lambda: len(database.stored) == 2)
    assert database.stored == [
        b"my\\ home,room=living\\ room n=5i,ok=true,temp=21.5 1789997600000000000",
        b'said text="a \\"b\\", c\\\\d" 1789997600000000000',
    ]


async def test_its_asynchronous_twin_writes_too(sender: Sender, database: FakeDatabase) -> None:
    async with InfluxDBClientAsync(sender.client.api, token=sender.token, org="home") as client:
        assert await client.ping()
        assert await client.write_api().write(bucket="any", record="m f=1 17")

    await eventually(lambda: database.stored == [b"m f=1 17"])


async def test_its_questions_are_answered(sender: Sender) -> None:
    assert await with_client(sender, lambda client: client.ping()) is True
    bucket = await with_client(sender, lambda client: client.buckets_api().find_bucket_by_name("Home Assistant"))
    assert bucket.name == "Home Assistant"
    [table] = await with_client(sender, lambda client: client.query_api().query("buckets()"))
    assert [record.values["name"] for record in table.records] == ["homeiq"]


async def test_it_reads_why_it_is_refused(sender: Sender) -> None:
    def write(client: Any) -> None:  # noqa: ANN401  # the library is not typed
        client.write_api(write_options=SYNCHRONOUS).write(bucket="any", record="nonsense")

    with pytest.raises(ApiException) as malformed:
        await with_client(sender, write)
    with pytest.raises(ApiException) as unauthorized:
        await with_client(sender, write, token="wrong")

    assert malformed.value.status == 400
    assert "unable to parse 'nonsense': missing fields" in malformed.value.body
    assert unauthorized.value.status == 401
    assert unauthorized.value.message.startswith("authorization failed")
