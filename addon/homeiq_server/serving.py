"""A listener: one web application on one address."""

from typing import Final

from aiohttp import web

from homeiq_server.errors import Misconfigured

FINISH_WITHIN_S: Final = 1.5


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
            app, access_log=None, auto_decompress=False, shutdown_timeout=FINISH_WITHIN_S, handle_signals=False
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
