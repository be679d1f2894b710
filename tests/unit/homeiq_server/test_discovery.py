"""The message to Home Assistant, before a Supervisor that checks it as the real one does."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import voluptuous as vol
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler

from homeiq_server import discovery
from homeiq_server.discovery import Supervisor
from homeiq_server.errors import Misconfigured, RetryLater
from homeiq_server.token import Token

SUPERVISOR_TOKEN = "the-supervisor-s-own-secret"
API_TOKEN = "the-secret-of-the-api"
MESSAGE = vol.Schema({vol.Required("service"): str, vol.Required("config"): dict})

type Fault = Callable[[], Awaitable[web.Response]]


class FakeSupervisor:
    """Knows one app by its token; takes a message for its services once, and passes it on to Home Assistant.

    ``faults`` come first, one for each request.
    """

    def __init__(self) -> None:
        self.services = ["homeiq"]
        self.faults: list[Fault] = []
        self.kept: dict[str, dict[str, Any]] = {}
        self.passed_on: list[dict[str, Any]] = []
        self.url = ""
        self.mqtt: dict[str, Any] | None = None

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._check])
        app.router.add_get("/addons/self/info", self._info)
        app.router.add_post("/discovery", self._discovery)
        app.router.add_get("/services/mqtt", self._mqtt)
        return app

    @web.middleware
    async def _check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self.faults:
            return await self.faults.pop(0)()
        if request.headers.get("Authorization") != f"Bearer {SUPERVISOR_TOKEN}":
            return web.json_response({"result": "error", "message": "unauthorized"}, status=401)
        return await handler(request)

    async def _info(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"result": "ok", "data": {"hostname": "f6d4f174-homeiq", "state": "started"}})

    async def _discovery(self, request: web.Request) -> web.StreamResponse:
        message = MESSAGE(await request.json())
        if message["service"] not in self.services:
            return web.json_response({"result": "error", "message": str(message)}, status=403)
        if self.kept.get(message["service"]) != message["config"]:
            self.kept[message["service"]] = message["config"]
            self.passed_on.append(message["config"])
        return web.json_response({"result": "ok", "data": {"uuid": "0123"}})

    async def _mqtt(self, _: web.Request) -> web.StreamResponse:
        if self.mqtt is None:
            return web.json_response({"result": "error", "message": "Service not enabled"}, status=400)
        return web.json_response({"result": "ok", "data": self.mqtt})


def answers(status: int) -> Fault:
    async def fault() -> web.Response:
        return web.json_response({"message": f"{API_TOKEN} {SUPERVISOR_TOKEN}"}, status=status)

    return fault


async def says_nonsense() -> web.Response:
    return web.Response(text="<html>", content_type="text/html")


async def hangs() -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.fixture
async def fake() -> AsyncIterator[FakeSupervisor]:
    fake = FakeSupervisor()
    async with TestServer(fake.application(), host="127.0.0.1") as server:
        fake.url = str(server.make_url("/"))
        yield fake


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(discovery, "_LONGEST_PAUSE_S", 0.002)


async def announce(fake: FakeSupervisor, *, supervisor_token: str = SUPERVISOR_TOKEN, port: int = 8098) -> None:
    supervisor = Supervisor.of({"SUPERVISOR": fake.url, "SUPERVISOR_TOKEN": supervisor_token})
    assert supervisor is not None
    async with asyncio.timeout(30):
        await supervisor.announce(port=port, token=Token(API_TOKEN), server_id="5e7")


async def test_home_assistant_is_told_where_the_app_is(fake: FakeSupervisor) -> None:
    await announce(fake)
    assert fake.passed_on == [{"host": "f6d4f174-homeiq", "port": 8098, "token": API_TOKEN, "server_id": "5e7"}]


async def test_the_same_again_is_no_news_and_a_change_is(fake: FakeSupervisor) -> None:
    await announce(fake)
    await announce(fake)
    assert len(fake.passed_on) == 1
    await announce(fake, port=9000)
    assert len(fake.passed_on) == 2


async def test_it_is_said_until_it_is_heard_and_logged_once_without_secrets(
    fake: FakeSupervisor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fake.faults = [answers(502), answers(403), answers(401), says_nonsense, answers(500)]
    await announce(fake)
    assert len(fake.passed_on) == 1
    said = [record.getMessage() for record in caplog.records if record.name == discovery.__name__]
    assert said == [
        "Home Assistant cannot be told of the app yet: the Supervisor answered 502; trying on",
        "Home Assistant was told of the app",
    ]
    assert API_TOKEN not in caplog.text
    assert SUPERVISOR_TOKEN not in caplog.text


async def test_a_supervisor_that_hangs_is_asked_again(fake: FakeSupervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "_TIMEOUT", aiohttp.ClientTimeout(total=0.05))
    fake.faults = [hangs]
    await announce(fake)
    assert len(fake.passed_on) == 1


async def test_a_supervisor_that_is_away_is_waited_for_until_cancelled(
    unused_tcp_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = Supervisor(f"http://127.0.0.1:{unused_tcp_port}", SUPERVISOR_TOKEN)
    telling = asyncio.create_task(supervisor.announce(port=1, token=Token(API_TOKEN), server_id="5e7"), name="telling")
    async with asyncio.timeout(30):
        while "does not answer (ClientConnectorError)" not in caplog.text:  # noqa: ASYNC110 - a log has no event
            await asyncio.sleep(0.01)
    telling.cancel()
    await asyncio.wait([telling])
    assert telling.cancelled()


def test_without_a_supervisor_there_is_nobody_to_tell() -> None:
    assert Supervisor.of({}) is None
    assert Supervisor.of({"SUPERVISOR_TOKEN": ""}) is None


def test_it_is_called_supervisor_unless_told_otherwise() -> None:
    assert repr(Supervisor.of({"SUPERVISOR_TOKEN": SUPERVISOR_TOKEN})) == "Supervisor('http://supervisor')"


def asking(fake: FakeSupervisor) -> Supervisor:
    return Supervisor(fake.url, SUPERVISOR_TOKEN)


async def test_the_broker_is_the_one_that_an_app_offers_now(fake: FakeSupervisor) -> None:
    assert await asking(fake).mqtt_broker() is None
    fake.mqtt = {
        "addon": "core_mosquitto",
        "host": "core-mosquitto",
        "port": 1883,
        "ssl": False,
        "protocol": "3.1.1",
        "username": "addons",
        "password": API_TOKEN,
    }
    broker = await asking(fake).mqtt_broker()
    assert broker is not None
    assert (broker.host, broker.port, broker.tls, broker.username) == ("core-mosquitto", 1883, None, "addons")
    assert broker.password is not None
    assert broker.password.reveal() == API_TOKEN
    assert API_TOKEN not in repr(broker)
    fake.mqtt = {"addon": "other", "host": "broker", "port": 8883, "ssl": True}
    broker = await asking(fake).mqtt_broker()
    assert broker is not None
    assert (broker.address, broker.username, broker.password) == ("mqtts://broker:8883", None, None)
    assert broker.tls is not None
    assert broker.tls.check_hostname
    fake.mqtt = None
    assert await asking(fake).mqtt_broker() is None


@pytest.mark.parametrize("status", [401, 403])
async def test_a_supervisor_that_may_not_be_asked_for_the_broker_is_a_setting_to_mend(
    fake: FakeSupervisor, status: int
) -> None:
    fake.faults = [answers(status)]
    with pytest.raises(Misconfigured):
        await asking(fake).mqtt_broker()


@pytest.mark.parametrize("fault", [answers(502), says_nonsense, hangs])
async def test_a_supervisor_that_does_not_tell_of_the_broker_is_to_be_asked_again(
    fake: FakeSupervisor, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "_TIMEOUT", aiohttp.ClientTimeout(total=0.05))
    fake.faults = [fault]
    with pytest.raises(RetryLater) as raised:
        await asking(fake).mqtt_broker()
    assert SUPERVISOR_TOKEN not in str(raised.value)
