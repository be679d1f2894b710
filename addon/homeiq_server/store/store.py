"""Keeps the way to the store open: brings the schema up to date, opens the pool, notices when it goes, begins again.

Nothing waits for it and nothing ends with it: while it is down, those who ask are told so, with the reason.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Literal, NoReturn
from urllib.parse import unquote, urlsplit

from homeiq_server.errors import HomeIQError, Misconfigured, RetryLater

from .migrate import migrate, shipped
from .pool import Conn, Pool, owner_of_tables

type StoreState = Literal["starting", "ok", "unreachable", "misconfigured"]

_LOGGER = logging.getLogger(__name__)
_ASK_AGAIN_S: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How the database is reached.

    Attributes:
        url: With the role that the pool logs in as; its password may be in it, so nothing shows it.
        owner_url: With the role that owns the tables; the same.
        tls: Demands TLS of a server that is not on a unix socket, and checks it; None takes TLS that is offered.
    """

    url: str = field(repr=False)
    owner_url: str = field(repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @property
    def role(self) -> str:
        """Return the role that the pool logs in as."""
        return unquote(urlsplit(self.url).username or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long is waited, in seconds.

    Attributes:
        first: Before the second attempt; doubles with each one that fails.
        longest: The most that it doubles to.
        refused: Before the next attempt when a person has to mend something first.
        probe: Between looks whether a database that nobody uses is still there.
    """

    first: float = 1
    longest: float = 30
    refused: float = 60
    probe: float = 5


async def _at_once() -> None:
    """Wait for nothing."""


class Store:
    """The store, up or down.

    Attributes:
        state: How it is now.
        error: Why it is not ``ok``; None while it is, or while nothing is known yet.
        version: PostgreSQL's own, such as "18.6"; None until it was reached.
        schema_version: The number of the newest migration that is applied; None until it was reached.
    """

    def __init__(
        self, access: Access, *, started: Callable[[], Awaitable[None]] = _at_once, pace: Pace | None = None
    ) -> None:
        """Connect to nothing yet.

        Args:
            access: How the database is reached.
            started: Returns once the database's own process runs, or raises why it never will; asked before each
                attempt.
            pace: How often it is tried.
        """
        self.state: StoreState = "starting"
        self.error: str | None = None
        self.version: str | None = None
        self.schema_version: int | None = None
        self._access = access
        self._started = started
        self._pace = pace or Pace()
        self._pool: Pool | None = None
        self._up = asyncio.Event()
        self._doubt = asyncio.Event()
        self._answered = 0.0  # when somebody last got through, on the monotonic clock
        self._failures = 0

    def tenant(self, tenant_id: str) -> AbstractAsyncContextManager[Conn]:
        """Give a connection in a transaction that sees and writes this tenant's rows alone.

        Raises:
            RetryLater: The store is down, with the reason; or busy. Nothing was done.
        """
        return self._through(lambda pool: pool.tenant(tenant_id))

    def worker(self) -> AbstractAsyncContextManager[Conn]:
        """Give a connection in a transaction across all tenants, with the rights of ``homeiq_worker`` only.

        Raises:
            RetryLater: The store is down, with the reason; or busy. Nothing was done.
        """
        return self._through(Pool.worker)

    async def listen(self, heard: Callable[[str], None], *, ready: Callable[[], None]) -> NoReturn:
        """Be told what changes; see ``Pool.listen``.

        Raises:
            RetryLater: The store is down, or the connection ended.
        """
        if self._pool is None:
            raise RetryLater(f"the store is down: {self.error or 'it is starting'}", after=_ASK_AGAIN_S)
        await self._pool.listen(heard, ready=ready)

    async def ready(self) -> None:
        """Return once it is up; waits as long as that takes."""
        await self._up.wait()

    async def run(self) -> None:
        """Keep it up until cancelled; whatever the database does, this goes on."""
        try:
            while True:
                try:
                    await self._live()
                except Exception as err:  # noqa: BLE001 - the edge of a task that history must not end with
                    self._failed(err)
                await asyncio.sleep(self._pause())
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the connections; what is not done by now fails with ``RetryLater``."""
        self._up.clear()
        self.state, self.error = "unreachable", "the app is stopping"
        pool, self._pool = self._pool, None
        if pool:
            await pool.close()

    async def _live(self) -> NoReturn:
        """Be up once, from the first connection until the database does not answer any more.

        Raises:
            HomeIQError: Why it is over, or did not begin.
        """
        await self._started()
        self.version = await self._prepare()
        self.schema_version = len(shipped())
        self._pool = pool = await Pool.open(self._access.url, tls=self._access.tls)
        try:
            self._begins()
            await self._watch(pool)
        finally:
            self._pool = None
            self._up.clear()
            await pool.close()

    async def _prepare(self) -> str:
        """Bring the schema up to date as its owner, and return PostgreSQL's version."""
        async with owner_of_tables(self._access.owner_url, tls=self._access.tls) as owner:
            await migrate(owner, app_role=self._access.role)
            return str(await owner.fetchval("SELECT split_part(current_setting('server_version'), ' ', 1)"))

    async def _watch(self, pool: Pool) -> NoReturn:
        """Look from time to time whether the database is there, and at once when somebody was let down by it.

        Raises:
            HomeIQError: It is not.
        """
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.probe):
                    await self._doubt.wait()
            in_use = pool.is_exhausted or time.monotonic() - self._answered < self._pace.probe
            if in_use and not self._doubt.is_set():
                continue
            self._doubt.clear()
            began = time.monotonic()
            try:
                await pool.probe()
            except RetryLater:
                if self._answered < began:  # else somebody got through meanwhile: it is only busy
                    raise
            self._answered = time.monotonic()

    @asynccontextmanager
    async def _through(self, way: Callable[[Pool], AbstractAsyncContextManager[Conn]]) -> AsyncIterator[Conn]:
        if self._pool is None:
            raise RetryLater(f"the store is down: {self.error or 'it is starting'}", after=_ASK_AGAIN_S)
        try:
            async with way(self._pool) as connection:
                yield connection
        except RetryLater:
            self._doubt.set()
            raise
        self._answered = time.monotonic()

    def _begins(self) -> None:
        if self._failures:
            _LOGGER.info("the store is back after %d attempts (PostgreSQL %s)", self._failures, self.version)
        else:
            _LOGGER.info("the store is open (PostgreSQL %s, schema %d)", self.version, self.schema_version)
        self._failures = 0
        self._doubt.clear()
        self._answered = time.monotonic()
        self.state, self.error = "ok", None
        self._up.set()

    def _failed(self, err: Exception) -> None:
        before = self.state, self.error
        if isinstance(err, Misconfigured):
            self.state, self.error = "misconfigured", str(err)
        elif isinstance(err, RetryLater):
            self.state, self.error = "unreachable", str(err)
        else:
            self.state, self.error = "unreachable", f"a fault of our own, {type(err).__name__}, of which the log tells"
        self._failures += 1
        if self._failures == 1 or self.state != before[0]:
            _LOGGER.warning("the store is down, history goes on: %s; trying again in %g s", self.error, self._pause())
        if not isinstance(err, HomeIQError) and self.error != before[1]:
            _LOGGER.error("the store failed in a way that nobody foresaw; please report this", exc_info=err)

    def _pause(self) -> float:
        if self.state == "misconfigured":
            return self._pace.refused
        return min(self._pace.first * 2.0 ** min(self._failures - 1, 20), self._pace.longest)
