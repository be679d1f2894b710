"""A follower with a clock that the test moves, on a real database, and looks at what it has made of things."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

from homeiq_server.alerts.follower import Follower
from homeiq_server.errors import RetryLater
from homeiq_server.ingest.message import Accepted, Value
from homeiq_server.store.alert_rules import RuleFields, add
from homeiq_server.store.changes import Changes
from homeiq_server.store.moments import moment
from homeiq_server.store.pool import Conn, Pool
from tests.postgres import Database, as_owner

HOME: Final = "home"
OTHER: Final = "other"
START_US: Final = 1_795_000_000_000_000
SECOND_US: Final = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.now_us = START_US

    def __call__(self) -> int:
        return self.now_us

    def forward(self, seconds: float) -> None:
        self.now_us += int(seconds * SECOND_US)


class FlakyStore:
    """The pool, which is away while ``is_away``."""

    def __init__(self, pool: Pool) -> None:
        self.is_away = False
        self._pool = pool

    @asynccontextmanager
    async def tenant(self, tenant_id: str) -> AsyncIterator[Conn]:
        self._check()
        async with self._pool.tenant(tenant_id) as conn:
            yield conn

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Conn]:
        self._check()
        async with self._pool.worker() as conn:
            yield conn

    def _check(self) -> None:
        if self.is_away:
            raise RetryLater("the database is away")


class World:
    """A server's follower, its clock, and the database that it shares with others."""

    def __init__(self, pool: Pool, database: Database, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.store = FlakyStore(pool)
        self.database = database
        self.changes = Changes(pool)  # does not run: the rules are read anew in each round
        self.listening_since_us: int | None = START_US
        self.told: list[str] = []
        self.follower = Follower(
            self.store,
            self.changes,
            listening_since_us=lambda: self.listening_since_us,
            on_change=self.told.append,
            now_us=self.clock,
        )

    def twin(self, pool: Pool) -> World:
        """Return another server on the same database, at the same time."""
        return World(pool, self.database, self.clock)

    async def tenant(self, tenant_id: str = OTHER) -> None:
        await self.run("INSERT INTO tenants (tenant_id, name, updated_at) VALUES ($1, $1, $2)", tenant_id, moment(0))

    async def device(
        self, device_id: str = "boiler", *, tenant_id: str = HOME, site_id: str = "home", name: str | None = None
    ) -> None:
        """Register an active device at the present moment."""
        await self.run(
            "INSERT INTO ingest_devices (tenant_id, device_id, name, site_id, status, provisioned_by, created_at,"
            " updated_at) VALUES ($1, $2, $3, $4, 'ACTIVE', 'api', $5, $5)",
            tenant_id,
            device_id,
            name,
            site_id,
            moment(self.clock.now_us),
        )

    async def rule(self, tenant_id: str = HOME, **fields: Any) -> UUID:  # noqa: ANN401 - each field has its own type
        """Make a rule: above 80 of temp unless told otherwise."""
        threshold: dict[str, Any] = {"kind": "THRESHOLD", "metric": "temp", "operator": "GT", "threshold": 80.0}
        chosen = {"name": "hot"} | (threshold if fields.get("kind", "THRESHOLD") == "THRESHOLD" else {}) | fields
        async with self.store.tenant(tenant_id) as conn:
            return (await add(conn, tenant_id, RuleFields(**chosen))).id

    def say(
        self,
        value: Value | None = None,
        device_id: str = "boiler",
        *,
        ago_s: float = 0,
        tenant_id: str = HOME,
        msg_type: str = "telemetry",
        **metrics: Value,
    ) -> None:
        """Let a device say a temperature, now or some time ago by its own clock."""
        said = metrics if value is None else {"temp": value, **metrics}
        message = Accepted(
            tenant_id=tenant_id,
            device_id=device_id,
            site_id="home",
            msg_type=msg_type,
            time_us=self.clock.now_us - int(ago_s * SECOND_US),
            received_us=self.clock.now_us,
            metrics=said,
            position=None,
            size=20,
        )
        self.follower.observe([message])

    async def hear(self, *values: float, every_s: float = 1, **more: Any) -> None:  # noqa: ANN401 - of ``say``
        """Let a device say values one after the other, each of them followed at once."""
        for value in values:
            self.clock.forward(every_s)
            self.say(value, **more)
            await self.round()

    async def round(self, after_s: float = 0) -> None:
        self.clock.forward(after_s)
        await self.follower.round()

    async def alerts(self, tenant_id: str = HOME) -> list[dict[str, Any]]:
        return await self.rows("SELECT * FROM alerts WHERE tenant_id = $1 ORDER BY id", tenant_id)

    async def changes_told(self, tenant_id: str = HOME) -> list[str]:
        rows = await self.rows("SELECT change FROM alert_changes WHERE tenant_id = $1 ORDER BY cursor", tenant_id)
        return [row["change"] for row in rows]

    async def metrics(self, device_id: str = "boiler", tenant_id: str = HOME) -> dict[str, list[Any]]:
        [row] = await self.rows(
            "SELECT metrics FROM device_states WHERE tenant_id = $1 AND device_id = $2", tenant_id, device_id
        )
        found: dict[str, list[Any]] = row["metrics"]
        return found

    async def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        async with as_owner(self.database) as owner:
            return [dict(row) for row in await owner.fetch(query, *values)]

    async def run(self, statement: str, *values: object) -> None:
        async with as_owner(self.database) as owner:
            await owner.execute(statement, *values)
