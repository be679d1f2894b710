"""The parts together: started, used, and stopped without a trace."""

import asyncio
import gc
import shutil
import threading
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp import web

from homeiq_server import app
from homeiq_server.database import Database
from homeiq_server.discovery import Supervisor
from homeiq_server.errors import InvalidOptions, Misconfigured
from homeiq_server.options import MEBIBYTE
from homeiq_server.serving import Listener
from tests.unit.homeiq_server.history.fake_database import FakeDatabase, running
from tests.unit.homeiq_server.server_builders import batch, event, eventually, options, serving


async def test_a_stop_leaves_no_task_no_thread_and_no_open_file(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database:
        chosen = options(tmp_path, influx_url=database.url)
        tasks, threads = asyncio.all_tasks(), _threads()
        files = _open_files(tmp_path)
        for seq in (1, 2):
            async with serving(chosen) as client:
                await eventually(partial(client.takes, batch([event(seq)], seq=seq)))
        assert {task for task in asyncio.all_tasks() - tasks if "aiohttp" not in repr(task)} == set()
        assert _threads() == threads
        assert _open_files(tmp_path) == files == set()
        gc.collect()  # an unclosed session would warn here, and a warning fails the test


def _threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if not thread.name.startswith("asyncio")}


def _open_files(folder: Path) -> set[str]:
    paths = {str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.exists()}
    return {path for path in paths if str(folder) in path}


async def test_a_request_that_never_comes_to_an_end_does_not_keep_the_server_from_ending(tmp_path: Path) -> None:
    async with running(FakeDatabase()) as database, serving(options(tmp_path, influx_url=database.url)) as client:
        body = b'{"slow": '
        head = "POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
        head += f"Authorization: {client.bearer['Authorization']}\r\n\r\n"
        _, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(head.encode() + body)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def test_a_part_that_fails_ends_all_of_them_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: Database) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Database, "write", fail)
    async with running(FakeDatabase()) as database:
        chosen = options(tmp_path, influx_url=database.url)
        with pytest.RaisesGroup(ZeroDivisionError):
            await app.run(chosen, asyncio.Event())
        assert _open_files(tmp_path) == set()


async def test_home_assistant_is_told_where_the_api_is_and_with_which_token(tmp_path: Path) -> None:
    told: list[dict[str, object]] = []

    async def info(_: web.Request) -> web.Response:
        return web.json_response({"result": "ok", "data": {"hostname": "homeiq-host"}})

    async def discovery(request: web.Request) -> web.Response:
        told.append(await request.json())
        return web.json_response({"result": "ok", "data": {"uuid": "1"}})

    fake = web.Application()
    fake.add_routes([web.get("/addons/self/info", info), web.post("/discovery", discovery)])
    listener = Listener(fake, host="127.0.0.1", port=0)
    await listener.start()
    supervisor = Supervisor(f"http://127.0.0.1:{listener.port}", "supervisor-token")
    chosen = options(tmp_path, history=False)
    async with serving(chosen, supervisor) as client:
        await eventually(lambda: told)
        config = {"host": "homeiq-host", "port": chosen.port, "server_id": (await client.status())["server_id"]}
        token = client.bearer["Authorization"].removeprefix("Bearer ")
    await listener.stop()
    assert told == [{"service": "homeiq", "config": config | {"token": token}}]


async def test_a_supervisor_that_is_away_keeps_nobody_waiting(tmp_path: Path) -> None:
    async with serving(options(tmp_path, history=False), Supervisor("http://127.0.0.1:1", "t")) as client:
        assert await client.is_ok()


async def test_two_servers_cannot_share_a_folder(tmp_path: Path) -> None:
    async with serving(options(tmp_path, history=False)):
        with pytest.raises(Misconfigured):
            await app.run(options(tmp_path, history=False), asyncio.Event())


async def test_without_a_program_to_embed_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidOptions, match="influx_url"):
        await app.run(options(tmp_path), asyncio.Event())


def test_the_spool_may_take_a_fifth_of_the_free_disk_and_a_gibibyte_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limit(free_mb: int) -> int:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free_mb * MEBIBYTE))
        return app._default_limit(tmp_path / "spool.db") // MEBIBYTE

    assert [limit(free_mb) for free_mb in (10, 1_000, 100_000)] == [16, 200, 1024]
