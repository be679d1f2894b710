"""A listener: one web application on one address."""

import asyncio
import logging
import socket
from typing import Final, override

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from homeiq_server.errors import Misconfigured

_LOGGER = logging.getLogger(__name__)

FINISH_WITHIN_S: Final = 1.5
_BACKLOG: Final = 128

# What is read of a request before anybody asks for its body. aiohttp stops at twice as much, after the piece that went
# beyond, and a piece is as large as what the kernel holds: its own 256 KiB make 135 MB of 200 connections.
_READ_AHEAD: Final = 8 * 1024
_KERNEL_HOLDS: Final = 32 * 1024  # Linux doubles it for its own needs


class _WithoutContent(logging.Filter):
    """Takes what a malformed request held out of the log: it may be a token, or an address with a password."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(err := record.exc_info[1], HttpProcessingError):
            record.msg, record.exc_info = f"{record.msg}: {type(err).__name__}", None
        return True


_LOGGER.addFilter(_WithoutContent())


async def _open(host: str, port: int) -> list[socket.socket]:
    """Return listening sockets, one for each address of the host."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    opened: list[socket.socket] = []
    try:
        for family, address in {(family, address[:2]): None for family, _, _, _, address in found}:
            opened.append(socket.create_server(address, family=family, backlog=_BACKLOG))
            opened[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KERNEL_HOLDS)  # its connections inherit it
    except OSError:
        for one in opened:
            one.close()
        raise
    return opened


class Listener:
    """Serves an application between ``start`` and ``stop``.

    Attributes:
        port: Where it really listens; known once started.
    """

    def __init__(self, app: web.Application, *, host: str, port: int) -> None:
        self.port = port
        self._host = host
        # Bodies are taken as they come: unpacking one would undo the limits on its size. No line a request, either.
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=_LOGGER,
            auto_decompress=False,
            read_bufsize=_READ_AHEAD,
            shutdown_timeout=FINISH_WITHIN_S,
            handle_signals=False,
        )

    async def start(self) -> None:
        """Listen.

        Raises:
            Misconfigured: Nobody can listen there.
        """
        await self._runner.setup()
        try:
            for opened in await _open(self._host, self.port):
                await web.SockSite(self._runner, opened).start()
        except OSError as err:
            raise Misconfigured(
                f"cannot listen on {self._host} port {self.port}: {err.strerror}; choose another one in the options"
            ) from err
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Take no new connection; let the requests at hand end, for ``FINISH_WITHIN_S`` at most."""
        await self._runner.cleanup()
