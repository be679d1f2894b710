"""Builders of what the tests of the store put into it, and a few looks at its rows."""

from itertools import count
from typing import Any, Final

from homeiq_server.insights.finding import Condition, Deduction, Health, Hour, Kind
from homeiq_server.registry import Area, Device, Entity, Floor, Rows
from homeiq_server.store.pool import Tenants
from homeiq_server.store.registry import Registries
from tests.postgres import Database, as_owner

HOME: Final = "home"
OTHER: Final = "other"
SOURCE: Final = "ha"
AT_US: Final = 1_795_000_000_000_000
MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US

_REVISIONS: Final = count(1)

FLOORS: Final = (Floor(id="ground", name="Ground floor", level=0), Floor(id="upper", name="Upper floor", level=1))
AREAS: Final = (
    Area(id="kitchen", name="Kitchen", floor_id="ground"),
    Area(id="bath", name="Bath", floor_id="upper"),
    Area(id="shed", name="Shed"),
)


def device(id_: str = "lamp", **fields: Any) -> Device:  # noqa: ANN401 - each field has its own type
    values: dict[str, Any] = {"name": id_.capitalize(), "integration": "hue"}
    return Device(id=id_, **values | fields)


def devices(number: int) -> tuple[Device, ...]:
    """Return devices in the order of their names."""
    return tuple(device(f"d{n:05}", name=f"Device {n:05}") for n in range(number))


def entity(entity_id: str = "light.lamp", **fields: Any) -> Entity:  # noqa: ANN401 - each field has its own type
    values: dict[str, Any] = {"id": entity_id.partition(".")[2], "device_id": "lamp"}
    return Entity(entity_id=entity_id, **values | fields)


def home(*things: Device | Entity) -> Rows:
    """Return a home with two floors, three areas, and these things."""
    return Rows(
        floors=FLOORS,
        areas=AREAS,
        devices=tuple(thing for thing in things if isinstance(thing, Device)),
        entities=tuple(thing for thing in things if isinstance(thing, Entity)),
    )


async def tell(tenants: Tenants, rows: Rows, *, source: str = SOURCE, tenant_id: str = HOME) -> None:
    """Let the registries of a source be these."""
    await Registries(tenants, tenant_id).snapshot(source, next(_REVISIONS), [rows])


async def add_tenant(database: Database, tenant_id: str = OTHER) -> None:
    async with as_owner(database) as owner:
        await owner.execute("INSERT INTO tenants (tenant_id, name) VALUES ($1, $1)", tenant_id)


async def rows_of(database: Database, table: str) -> list[dict[str, Any]]:
    """Return all rows of a table, of all tenants, each with the transaction that wrote it."""
    async with as_owner(database) as owner:
        found = await owner.fetch(f"SELECT xmin::text, * FROM {table} ORDER BY 2, 3, 4")  # noqa: S608 - names of tests
        return [dict(row) for row in found]


def condition(subject: str = "lamp", kind: Kind = Kind.SILENT, **fields: Any) -> Condition:  # noqa: ANN401 - the same
    values: dict[str, Any] = {
        "subject_type": "device",
        "device_id": subject,
        "severity": 3,
        "title": f"{subject} is quiet",
        "explanation": "It speaks every hour and has been quiet for five.",
        "evidence": {"quiet_h": 5.0, "usual_h": 1.0},
        "since_us": AT_US - 5 * HOUR_US,
    }
    return Condition(kind=kind, subject=subject, **values | fields)


def healthy(**fields: Any) -> Health:  # noqa: ANN401 - the same
    values: dict[str, Any] = {"state": "good", "score": 100, "confidence": 1.0}
    return Health(**values | fields)


def unwell(points: int = 60, name: str = "offline") -> Health:
    deduction = Deduction(name=name, points=points, since_us=AT_US, evidence={"offline_h": 2.5})
    return healthy(state="poor" if points > 50 else "fair", score=100 - points, deductions=(deduction,))


def hour(*values: float, entity: str = "power", hour_us: int = AT_US, first_us: int = 0) -> Hour:
    """Return the hour of so many values, a second apart."""
    return Hour(
        id=entity,
        hour_us=hour_us,
        count=len(values),
        min=min(values),
        max=max(values),
        sum=sum(values),
        last=values[-1],
        last_us=hour_us + first_us + len(values) * 1_000_000,
    )
