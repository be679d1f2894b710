"""Brokers that Mosquitto cannot be: made of bytes, for one fault each."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

type Answer = Callable[[int, bytes], bytes | None]
"""Given kind and body of a packet; returns what to say, or None to end the connection."""


@asynccontextmanager
async def stub_broker(answer: Answer) -> AsyncIterator[str]:
    """Serve on a port of its own, and give the address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                kind, length, shift = (await reader.readexactly(1))[0], 0, 0
                while True:
                    part = (await reader.readexactly(1))[0]
                    length |= (part & 0x7F) << shift
                    shift += 7
                    if part < 0x80:
                        break
                if (said := answer(kind, await reader.readexactly(length))) is None:
                    return
                writer.write(said)
                if kind == 0x10 and said[3:4] > b"\0":
                    return
        except asyncio.IncompleteReadError, ConnectionError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        server.close_clients()
        await server.wait_closed()


def only_3_1_1(refusal: bytes | None) -> Answer:
    """Accept 3.1.1 and grant what is asked; refuse MQTT 5 by ``refusal``, or by ending the connection."""

    def answer(kind: int, body: bytes) -> bytes | None:
        if kind == 0x10:
            return refusal if body[6] == 5 else b"\x20\x02\x00\x00"
        if kind == 0x82:
            # Bits of MQTT 5 in the options are a reason to end the connection.
            return b"\x90\x03" + body[:2] + b"\x01" if body[-1] <= 2 else None
        return b"" if kind != 0xE0 else None

    return answer


def acknowledges_nothing(kind: int, body: bytes) -> bytes | None:
    """Accept MQTT 5 and subscriptions, and never acknowledge a message."""
    if kind == 0x10:
        return b"\x20\x03\x00\x00\x00"
    if kind == 0x82:
        return b"\x90\x04" + body[:2] + b"\x00\x01"
    return b"" if kind != 0xE0 else None
