"""A transport that writes once in a turn of the event loop, however often it is told to.

gmqtt writes each acknowledgement by itself, and each is a system call then: at 5,000 messages a second a third of all
that the link costs.
"""

import asyncio
from typing import Any


class Corked:
    """Everything else is the transport's own."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._parts: list[bytes | bytearray] = []
        self._loop = asyncio.get_running_loop()

    def write(self, part: bytes | bytearray) -> None:
        """Write at the end of this turn, or before the connection is closed."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(part)

    def close(self) -> None:
        """Write what there is, then close."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the transport has
        return getattr(self._transport, name)

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts and not self._transport.is_closing():
            self._transport.write(b"".join(parts))
