"""Webhooks to a real receiver."""

import asyncio
import gzip
import socket
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from homeiq_server.delivery import webhook
from homeiq_server.delivery.message import Outcome
from homeiq_server.delivery.signature import new_secret
from homeiq_server.delivery.webhook import Webhook
from tests.integration.delivery.receivers import Receiver, receiving
from tests.mosquitto import Mosquitto
from tests.unit.homeiq_server.delivery.messages import message, payload

LOOPBACK = ("127.0.0.0/8", "::1")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as here:
        yield here


async def post(url: str, *secrets: str, allowed: tuple[str, ...] = LOOPBACK) -> Outcome:
    async with Webhook(allowed) as way:
        return await way.send(message("webhook", {"url": url}, secrets=secrets))


async def test_a_receiver_can_tell_who_sent_what_and_when(receiver: Receiver) -> None:
    secret = new_secret()
    assert await post(receiver.url, secret) == Outcome(ok=True, status=200)
    [received] = receiver.received
    assert received.is_signed_by(secret)
    assert not received.is_signed_by(new_secret())
    assert received.message_id == "msg_1"
    assert abs(int(received.headers["webhook-timestamp"]) - time.time()) < 60
    assert received.content == {"type": "alert.opened", "timestamp": payload()["at"], "data": payload()}


async def test_while_a_secret_is_changed_receivers_with_either_can_tell(receiver: Receiver) -> None:
    new, old = new_secret(), new_secret()
    await post(receiver.url, new, old)
    [received] = receiver.received
    assert received.is_signed_by(new)
    assert received.is_signed_by(old)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 422, 451])
async def test_what_the_receiver_refuses_is_not_sent_again(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda _: web.Response(status=status, text="no\n\x1b[31m thanks")
    outcome = await post(receiver.url)
    assert outcome == Outcome(status=status, error=f"it answers {status}: no [31m thanks", final=True)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_what_the_receiver_cannot_take_now_is_sent_again_when_it_asks_for_it(
    receiver: Receiver, status: int
) -> None:
    receiver.answer = lambda _: web.Response(status=status, headers={"Retry-After": "70"})
    outcome = await post(receiver.url)
    assert (outcome.ok, outcome.final, outcome.after_s) == (False, False, 70)


async def test_no_redirect_is_followed(receiver: Receiver) -> None:
    receiver.answer = lambda _: web.Response(status=307, headers={"Location": receiver.url})
    outcome = await post(receiver.url)
    assert (outcome.status, outcome.final) == (307, True)
    assert len(receiver.received) == 1


async def test_of_a_long_answer_little_is_read_and_a_packed_one_is_not_unpacked(receiver: Receiver) -> None:
    bomb = gzip.compress(b"unpacked" * 5_000_000)
    receiver.answer = lambda _: web.Response(status=500, body=bomb, headers={"Content-Encoding": "gzip"})
    assert "unpacked" not in str(await post(receiver.url))
    receiver.answer = lambda _: web.Response(status=500, text="x" * 10_000_000)
    assert len((await post(receiver.url)).error or "") < 250


async def test_a_receiver_that_never_answers_is_given_up(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver.delay = asyncio.Event()
    monkeypatch.setattr(webhook, "_TIMEOUT_S", 0.2)
    outcome = await post(receiver.url)
    assert (outcome.ok, outcome.final) == (False, False)
    assert "no answer within" in str(outcome.error)


async def test_nobody_there_is_tried_again_and_the_address_is_not_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        outcome = await post(f"http://127.0.0.1:{taken.getsockname()[1]}/secret-path")
    assert not outcome.final
    assert "cannot be reached" in str(outcome.error)
    assert "secret" not in str(outcome.error)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "127.1", "0x7f.1", "0"]
)
async def test_no_spelling_of_this_host_lets_anything_through(receiver: Receiver, host: str) -> None:
    port = URL(receiver.url).port
    for scheme in ("http", "https"):
        outcome = await post(f"{scheme}://{host}:{port}/", allowed=())
        assert outcome.final, outcome
    assert receiver.received == []


async def test_an_address_that_the_operator_names_lets_its_neighbours_not_in(receiver: Receiver) -> None:
    assert (await post(receiver.url, allowed=("127.0.0.2",))).final
    assert (await post(receiver.url, allowed=("127.0.0.1",))).ok


class _Rebinding(AbstractResolver):
    """A name that is fit when it is asked for first, and is not from then on."""

    def __init__(self, first: str = "127.0.0.2") -> None:
        self.asked = 0
        self._first = first

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked += 1
        address = self._first if self.asked == 1 else "127.0.0.1"
        return [ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        pass


async def test_a_name_with_another_answer_the_second_time_reaches_nothing_else(receiver: Receiver) -> None:
    names, port = _Rebinding(), URL(receiver.url).port
    async with Webhook(["127.0.0.2"], names=names) as way:
        outcomes = [await way.send(message("webhook", {"url": f"http://a.example:{port}/"})) for _ in range(3)]
    assert names.asked == 3
    assert not any(outcome.ok for outcome in outcomes)
    assert [outcome.final for outcome in outcomes[1:]] == [True, True]
    assert receiver.received == []


async def test_a_public_address_is_not_written_to_without_tls() -> None:
    async with Webhook((), names=_Rebinding("8.8.8.8")) as way:
        outcome = await way.send(message("webhook", {"url": "http://a.example/"}))
    assert outcome.final
    assert "give an https:// address" in str(outcome.error)


async def test_only_a_certificate_that_is_trusted_is_spoken_to(tmp_path: Path) -> None:
    here = await _tls(tmp_path)
    trusting = ssl.create_default_context(cafile=str(tmp_path / "certificate.pem"))
    async with receiving(here) as receiver:
        url = receiver.url.replace("127.0.0.1", "localhost")
        assert "not trusted" in str((await post(url)).error)
        async with Webhook(LOOPBACK, tls=trusting) as way:
            assert (await way.send(message("webhook", {"url": url}))).ok
    assert len(receiver.received) == 1


async def _tls(folder: Path) -> ssl.SSLContext:
    """Return a server's context for localhost, with the certificate that the broker of tests makes itself."""
    broker = Mosquitto(folder, tls=True)
    try:
        await broker.start()
    finally:
        await broker.stop()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


async def test_nothing_is_sent_before_it_is_entered() -> None:
    outcome = await Webhook(()).send(message("webhook", {"url": "https://example.com/"}))
    assert (outcome.ok, outcome.final) == (False, False)


def test_no_failure_of_the_client_tells_the_address() -> None:
    outcome = webhook._failure(aiohttp.InvalidURL("https://secret.example/"))
    assert "secret" not in str(outcome)
