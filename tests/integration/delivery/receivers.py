"""Real receivers: an HTTP server that checks signatures by its own reading of the standard, and a mail server."""

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass
class Received:
    """A request as it came."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def content(self) -> Any:  # noqa: ANN401 - any JSON value
        return json.loads(self.body)

    def is_signed_by(self, secret: str) -> bool:
        """Tell whether one of its signatures is made with a secret."""
        stamp = self.headers["webhook-timestamp"]
        signed = f"{self.message_id}.{stamp}.".encode() + self.body
        key = base64.b64decode(secret.split("_", 1)[1])
        expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return expected in self.headers["webhook-signature"].split(" ")


type Answers = Callable[[Received], web.Response]


@dataclass
class Receiver:
    """Takes webhooks.

    Attributes:
        url: Where.
        received: What came, in order.
        answer: What it answers; 200 unless told otherwise.
        delay: Held before it answers.
    """

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answer: Answers = lambda _: web.Response()
    delay: asyncio.Event | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        got = Received(dict(request.headers), await request.read())
        got.headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(got)
        if self.delay:
            await self.delay.wait()
        return self.answer(got)


@asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Give a receiver on 127.0.0.1."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.handle)
    server = TestServer(app, scheme="https" if tls else "http")
    await server.start_server(ssl=tls)
    receiver.url = str(server.make_url("/hook"))
    try:
        yield receiver
    finally:
        if receiver.delay:
            receiver.delay.set()
        await server.close()


@dataclass
class Mailbox:
    """Takes mail.

    Attributes:
        port: Where, on 127.0.0.1.
        mails: Recipients and text of each, as it came.
        refused: Recipients that are answered otherwise: the answer by address.
        greeting: Its first line.
    """

    port: int = 0
    mails: list[tuple[list[str], bytes]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    greeting: str = "220 here"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._speak(reader, writer)
        finally:
            writer.close()

    async def _speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recipients: list[str] = []
        writer.write(f"{self.greeting}\r\n".encode())
        while line := (await reader.readline()).decode().strip():
            match line.split(":")[0].split(" ")[0].upper():
                case "RCPT":
                    address = line.split("<")[1].split(">")[0]
                    answer = self.refused.get(address, "250 yes")
                    recipients += [address] * answer.startswith("250")
                case "DATA":
                    writer.write(b"354 go on\r\n")
                    text = await reader.readuntil(b"\r\n.\r\n")
                    self.mails.append((recipients, text.removesuffix(b".\r\n")))
                    recipients, answer = [], "250 taken"
                case "QUIT":
                    writer.write(b"221 bye\r\n")
                    return
                case _:
                    answer = "250 yes"
            writer.write(f"{answer}\r\n".encode())


@asynccontextmanager
async def mailing() -> AsyncIterator[Mailbox]:
    """Give a mail server on 127.0.0.1."""
    mailbox = Mailbox()
    server = await asyncio.start_server(mailbox.handle, "127.0.0.1", 0)
    mailbox.port = server.sockets[0].getsockname()[1]
    try:
        yield mailbox
    finally:
        server.close()
        await server.wait_closed()
