"""The embedded VictoriaMetrics as it really runs."""

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from homeiq_server.api.errors import errors_to_problems
from homeiq_server.api.prometheus_proxy import PrometheusProxy, routes
from homeiq_server.embedded.child import State
from homeiq_server.embedded.victoria_metrics import VictoriaMetrics

LOCAL = Path(__file__).parents[2] / ".tools/bin/victoria-metrics"
FOUND = os.environ.get("HOMEIQ_VICTORIA_METRICS") or (LOCAL if LOCAL.exists() else shutil.which("victoria-metrics"))
pytestmark = pytest.mark.skipif(FOUND is None, reason="there is no victoria-metrics here: scripts/setup brings it")

PROGRAM = Path(FOUND or "/")

A_MINUTE_AGO = int(time.time() * 1000) - 60_000  # queries leave the current second out
QUERY = {"query": "light_value", "start": "-1h", "step": "60", "format": "__name__,__value__"}
READS = ("export", "export/csv", "export/native", "label/__name__/values", "labels", "query", "query_range", "series")
ABOUT = ("alerts", "metadata", "query_exemplars", "rules", "series/count", "status/buildinfo", "status/tsdb")

SERVER = """
import asyncio, sys
from pathlib import Path
from homeiq_server.embedded.victoria_metrics import VictoriaMetrics

async def main():
    database = VictoriaMetrics(data_dir=Path(sys.argv[1]), program=Path(sys.argv[2]))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(database.run())
        await database.ready()
        print(database.pid, flush=True)

asyncio.run(main())
"""


@asynccontextmanager
async def running(data_dir: Path) -> AsyncIterator[VictoriaMetrics]:
    database = VictoriaMetrics(data_dir=data_dir, program=PROGRAM)
    task = asyncio.create_task(database.run(), name="database")
    try:
        async with asyncio.timeout(60):
            await database.ready()
        yield database
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - a condition on another process has no event
            await asyncio.sleep(0.02)


def on_folder(data_dir: Path) -> list[int]:
    """Return the processes that run on the database's folder."""
    mark = f"-storageDataPath={data_dir / 'victoria-metrics'}"
    processes = psutil.process_iter(["cmdline", "status"])
    return [one.pid for one in processes if mark in (one.info["cmdline"] or ()) and one.info["status"] != "zombie"]


async def write(url: str, line: str) -> None:
    async with aiohttp.request("POST", f"{url}/write", params={"precision": "ms"}, data=line) as answer:
        assert answer.status == 204, await answer.text()


async def exported(url: str, name: str) -> list[str]:
    """Return the series called ``name`` as JSON lines; what is written shows some seconds later, or in the next run."""
    async with aiohttp.request("GET", f"{url}/api/v1/export", params={"match[]": name}) as answer:
        assert answer.status == 200, await answer.text()
        return (await answer.text()).splitlines()


async def test_it_starts_and_stops_without_a_trace(tmp_path: Path) -> None:
    async with running(tmp_path) as database:
        assert (database.state, database.generation, database.error) == (State.RUNNING, 1, None)
        assert on_folder(tmp_path) == [database.pid]

    assert database.state is State.STOPPED
    assert on_folder(tmp_path) == []
    assert not (tmp_path / "victoria-metrics.pid").exists()


async def test_what_it_was_given_is_there_after_an_orderly_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as database:
        await write(database.url, f"°C,entity_id=kitchen value=21.5 {A_MINUTE_AGO}")
    async with running(tmp_path) as database:
        lines = await exported(database.url, '{__name__="°C_value"}')
        assert f'"values":[21.5],"timestamps":[{A_MINUTE_AGO}]' in lines[0]


async def test_the_same_point_written_twice_is_one_point(tmp_path: Path) -> None:
    async with running(tmp_path) as database:
        await write(database.url, f"light value=1 {A_MINUTE_AGO}")
        await write(database.url, f"light value=2 {A_MINUTE_AGO}")
    async with running(tmp_path) as database:
        lines = await exported(database.url, "light_value")
        assert len(lines) == 1
        assert f'"values":[2],"timestamps":[{A_MINUTE_AGO}]' in lines[0]


async def test_a_killed_database_comes_back_as_a_new_generation_at_the_same_address(tmp_path: Path) -> None:
    async with running(tmp_path) as database:
        first, url = database.pid, database.url
        assert first
        os.kill(first, signal.SIGKILL)
        await until(lambda: database.generation == 2)
        async with asyncio.timeout(60):
            await database.ready()
        assert database.url == url
        assert database.pid != first
        await write(url, "light value=1")


async def test_a_killed_server_leaves_no_database_behind(tmp_path: Path) -> None:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, str(tmp_path), str(PROGRAM), stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout
    async with asyncio.timeout(60):
        pid = int(await server.stdout.readline())
    assert on_folder(tmp_path) == [pid]

    server.kill()
    await server.wait()
    await until(lambda: not on_folder(tmp_path))

    async with running(tmp_path) as database:  # the file that the killed server left is no obstacle
        assert database.pid != pid


async def test_a_second_server_on_the_same_folder_is_told_so_and_harms_nobody(tmp_path: Path) -> None:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, str(tmp_path), str(PROGRAM), stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout
    async with asyncio.timeout(60):
        pid = int(await server.stdout.readline())
    second = VictoriaMetrics(data_dir=tmp_path, program=PROGRAM)
    task = asyncio.create_task(second.run(), name="second")
    try:
        await until(lambda: second.state is State.WAITING)
        assert f"another homeiq-server (process {server.pid})" in (second.error or "")
        assert on_folder(tmp_path) == [pid]
    finally:
        task.cancel()
        server.terminate()
        await asyncio.wait([task])
        await server.wait()
    await until(lambda: not on_folder(tmp_path))


async def test_a_folder_that_a_stranger_holds_is_an_error_with_the_database_s_own_words(tmp_path: Path) -> None:
    async with running(tmp_path) as first:
        (tmp_path / "victoria-metrics.pid").unlink()
        second = VictoriaMetrics(data_dir=tmp_path, program=PROGRAM)
        task = asyncio.create_task(second.run(), name="second")
        await until(lambda: second.state is State.WAITING)
        assert "single process has exclusive access" in (second.error or "")
        task.cancel()
        await asyncio.wait([task])
        assert on_folder(tmp_path) == [first.pid]


async def test_what_was_written_is_read_through_the_proxy_and_cannot_be_deleted_there(tmp_path: Path) -> None:
    async with running(tmp_path) as database:
        await write(database.url, f"light value=1 {A_MINUTE_AGO}")
    async with running(tmp_path) as database:
        proxy = PrometheusProxy(database.url)
        app = web.Application(middlewares=[errors_to_problems])
        app.router.add_routes(routes(proxy))
        async with TestServer(app, host="127.0.0.1") as server:
            url = str(server.make_url("/prometheus"))
            assert "light_value" in (await exported(url, "light_value"))[0]
            selected = {"match[]": "light_value"}
            async with aiohttp.request("POST", f"{url}/api/v1/admin/tsdb/delete_series", data=selected) as answer:
                assert answer.status == 404
            for read in READS + ABOUT:
                async with aiohttp.request("POST", f"{url}/api/v1/{read}", data=selected | QUERY) as answer:
                    assert answer.status == 200, (read, await answer.text())
            assert await exported(url, "light_value")
        await proxy.close()
