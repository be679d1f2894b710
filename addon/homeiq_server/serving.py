"""A listener: one web application on one address."""

import logging
from typing import Final, override

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from homeiq_server.errors import Misconfigured

_LOGGER = logging.getLogger(__name__)

FINISH_WITHIN_S: Final = 1.5


class _WithoutContent(logging.Filter):
    """Takes what a malformed request held out of the log: it may be a token, or an address with a password."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(err := record.exc_info[1], HttpProcessingError):
            record.msg, record.exc_info = f"{record.msg}: {type(err).__name__}", None
        return True


_LOGGER.addFilter(_WithoutContent())


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
            site = web.TCPSite(self._runner, self._host, self.port)
            await site.start()
        except OSError as err:
            raise Misconfigured(
                f"cannot listen on {self._host} port {self.port}: {err.strerror}; choose another one in the options"
            ) from err
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Take no new connection; let the requests at hand end, for ``FINISH_WITHIN_S`` at most."""
        await self._runner.cleanup()
