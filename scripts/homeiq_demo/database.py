"""Asks the database itself what it holds, past everything that HomeIQ says of it."""

import csv
import io
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import NamedTuple, Protocol, override

import aiohttp

from .process import DemoError
from .rest import Json
from .server import Server

EPOCH = datetime.fromtimestamp(0, UTC)
MILLISECOND = timedelta(milliseconds=1)


class Sample(NamedTuple):
    """One stored state: whose, when (ms since the epoch), and the number or the text."""

    entity_id: str
    time_ms: int
    state: float | str


def time_ms(moment: datetime) -> int:
    """Return the whole milliseconds since the epoch, rounded down as VictoriaMetrics does."""
    return (moment - EPOCH) // MILLISECOND


class Database(Protocol):
    """Where the states are stored in the ``core`` schema."""

    name: str

    async def samples(self, start: datetime, end: datetime) -> set[Sample]:
        """Return the states of all entities between the two moments."""


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach the InfluxDB or VictoriaMetrics that the server writes to."""

    url: str
    token: str = ""
    org: str = ""
    bucket: str = ""


class EmbeddedVictoriaMetrics:
    """The server's own database, asked through its read-only proxy."""

    name = "the embedded VictoriaMetrics"

    def __init__(self, server: Server) -> None:
        """Ask through ``server``."""
        self._server = server

    async def export(self, labels: str, **window: str) -> list[Json]:
        """Return the series with these labels, each ``{"metric": labels, "values": [...], "timestamps": [ms, ...]}``.

        For 10 s VictoriaMetrics remembers which series a filter has found, so that one asked again would not find a new
        series: every filter of ours is another.
        """
        never_asked = f'asked!="{time.monotonic_ns()}"'
        answer = await self._ask({"match[]": f"{{{labels},{never_asked}}}", **window})
        return [json.loads(line) for line in answer.splitlines()]

    async def samples(self, start: datetime, end: datetime) -> set[Sample]:
        """Return the states of all entities between the two moments."""
        found = await self.export('entity_id!=""', start=start.isoformat(), end=end.isoformat())
        return {sample for series in found for sample in _states(series)}

    async def _ask(self, params: dict[str, str]) -> str:
        return await self._server.get("/prometheus/api/v1/export", **params)


class VictoriaMetrics(EmbeddedVictoriaMetrics):
    """A VictoriaMetrics elsewhere."""

    name = "VictoriaMetrics"

    def __init__(self, connection: Connection) -> None:
        """Ask at the connection's URL."""
        self._connection = connection

    @override
    async def _ask(self, params: dict[str, str]) -> str:
        headers = {"Authorization": f"Bearer {self._connection.token}"} if self._connection.token else {}
        url = self._connection.url.rstrip("/") + "/api/v1/export"
        async with aiohttp.ClientSession() as session, session.get(url, params=params, headers=headers) as response:
            return await _text(response)


class InfluxDB:
    """An InfluxDB 2, asked in Flux."""

    name = "InfluxDB"

    def __init__(self, connection: Connection) -> None:
        """Ask at the connection's URL."""
        self._connection = connection

    async def samples(self, start: datetime, end: datetime) -> set[Sample]:
        """Return the states of all entities between the two moments."""
        query = (
            f"from(bucket: {json.dumps(self._connection.bucket)})"
            f" |> range(start: {start.isoformat()}, stop: {end.isoformat()})"
            ' |> filter(fn: (r) => (r._field == "value" or r._field == "state") and exists r.entity_id)'
            ' |> keep(columns: ["_time", "_value", "_field", "domain", "entity_id"]) |> group(columns: ["_field"])'
        )
        headers = {
            "Authorization": f"Token {self._connection.token}",
            "Accept": "application/csv",
            "Content-Type": "application/vnd.flux",
        }
        url, params = self._connection.url.rstrip("/") + "/api/v2/query", {"org": self._connection.org}
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, params=params, data=query, headers=headers) as response,
        ):
            return set(flux_states(await _text(response)))


def kept(number: float) -> float:
    """Return the number to 12 significant digits: VictoriaMetrics keeps 13 where a series' numbers differ in size."""
    return float(f"{number:.12g}")


def _states(series: Json) -> list[Sample]:
    """Read a number from a ``value`` field, a text from the label of a ``state`` field that is 1."""
    metric, pairs = series["metric"], zip(series["timestamps"], series["values"], strict=True)
    entity_id = f"{metric.get('domain')}.{metric['entity_id']}"
    if metric["__name__"].endswith("_value"):
        return [Sample(entity_id, at, kept(value)) for at, value in pairs]
    if metric["__name__"].endswith("_state") and "state" in metric:
        return [Sample(entity_id, at, metric["state"]) for at, value in pairs if value == 1]
    return []


def flux_states(answer: str) -> list[Sample]:
    """Read the tables of a CSV answer; each has its own header, a blank line stands between them."""
    found = []
    for table in answer.replace("\r\n", "\n").split("\n\n"):
        for row in csv.DictReader(io.StringIO(table)):
            value = kept(float(row["_value"])) if row["_field"] == "value" else row["_value"]
            entity_id = f"{row['domain']}.{row['entity_id']}"
            found.append(Sample(entity_id, time_ms(datetime.fromisoformat(row["_time"])), value))
    return found


async def _text(response: aiohttp.ClientResponse) -> str:
    text = await response.text()
    if response.status >= HTTPStatus.BAD_REQUEST:
        raise DemoError(f"The database answered {response.status}: {text[:500]}")
    return text


async def open_database(server: Server, connection: Connection | None) -> Database:
    """Return the database that ``server`` writes to, ready to be asked.

    Raises:
        DemoError: It is of a kind that the demo cannot ask.
    """
    if connection is None:
        return EmbeddedVictoriaMetrics(server)
    product = str((await server.status())["database"]["product"])
    if product.lower().startswith("victoria"):
        return VictoriaMetrics(connection)
    if connection.bucket and connection.org:
        return InfluxDB(connection)
    raise DemoError(
        f"The demo can ask VictoriaMetrics and InfluxDB 2 what they hold, not {product}:"
        " set HOMEIQ_INFLUX_ORG and HOMEIQ_INFLUX_BUCKET, or none of HOMEIQ_INFLUX_* for the embedded database."
    )
