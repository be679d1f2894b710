"""Every product that a target can be, each with what it asks for, and a target connected to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from homeiq_server.history.influx import Influx, InfluxSettings
from tests.unit.homeiq_server.history.fake_database import FakeDatabase

SECRET = "marker-of-a-secret"


@dataclass(frozen=True)
class Kind:
    """A product and how a person reaches it.

    Attributes:
        dialect: The fake database's.
        login: Whether with user and password, and not with a token.
        product: As identified.
        path: Where its lines go.
        query: What goes with them when they are in microseconds.
    """

    dialect: str
    login: bool
    product: str
    path: str
    query: dict[str, str]

    def database(self) -> FakeDatabase:
        """Return such a database, with the bucket ``home``."""
        database = FakeDatabase(self.dialect, token=None if self.login else SECRET)
        database.login = ("user", SECRET) if self.login else None
        database.databases = {"home"}
        return database

    def settings(self, url: str, *, secret: str = SECRET, timeout_s: float = 30) -> InfluxSettings:
        """Return what a person enters for it."""
        if self.login:
            return InfluxSettings(url=url, username="user", password=secret, bucket="home", timeout_s=timeout_s)
        return InfluxSettings(url=url, token=secret, org="o", bucket="home", timeout_s=timeout_s)


_V1 = {"db": "home", "precision": "u"}
_V2 = {"org": "o", "bucket": "home", "precision": "us"}
_V2_ALONE = {"org": "", "bucket": "home", "precision": "us"}

KINDS = (
    Kind("influx1.6", True, "InfluxDB", "/write", _V1),
    Kind("influx1", True, "InfluxDB", "/write", _V1),
    Kind("influx1", False, "InfluxDB", "/api/v2/write", _V2),
    Kind("influx2", False, "InfluxDB", "/api/v2/write", _V2),
    Kind("cloud", False, "InfluxDB Cloud", "/api/v2/write", _V2),
    Kind("influx3", False, "InfluxDB", "/api/v2/write", _V2),
    Kind("victoria", True, "VictoriaMetrics", "/api/v2/write", _V2_ALONE),
    Kind("plain", False, "a database with InfluxDB's API", "/api/v2/write", _V2),
)


@asynccontextmanager
async def connected(settings: InfluxSettings) -> AsyncIterator[Influx]:
    """Yield a target that is not identified yet."""
    target = Influx(settings)
    try:
        yield target
    finally:
        await target.close()
