"""Many small writes are one."""

import asyncio

from homeiq_server.ingest.mqtt.corked import Corked


class Written(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.parts.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


async def test_what_is_written_in_one_turn_goes_out_at_once_and_in_order() -> None:
    transport = Written()
    corked = Corked(transport)
    for part in (b"a", bytearray(b"b"), b"c"):
        corked.write(part)
    assert transport.parts == []
    await asyncio.sleep(0)
    assert transport.parts == [b"abc"]
    corked.write(b"d")
    await asyncio.sleep(0)
    assert transport.parts == [b"abc", b"d"]


async def test_what_is_written_before_a_close_goes_out_and_what_comes_after_does_not() -> None:
    transport = Written()
    corked = Corked(transport)
    corked.write(b"goodbye")
    corked.close()
    corked.write(b"too late")
    await asyncio.sleep(0)
    assert transport.parts == [b"goodbye"]
    assert corked.is_closing()
