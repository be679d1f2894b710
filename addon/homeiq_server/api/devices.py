"""``/api/v1/devices``: every device, with what was measured of it and how well it is."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

from aiohttp import web
from msgspec import Struct

from homeiq_server.errors import NotFound, Rejected
from homeiq_server.insights.finding import Facts, Kind
from homeiq_server.store import devices, entities, findings, health, overview, zigbee_devices
from homeiq_server.store.devices import HealthFilter, Wanted
from homeiq_server.wire import read_query

from .answer import ok
from .cursor import cursor_of, read_cursor
from .device_shape import DevicePage, detail_of, device_of
from .finding_shape import finding_of
from .parameters import CursorText, PageSize, Words
from .store import TENANT, home

_RESOLVED_SHOWN: Final = 20

FACTS: Final[web.AppKey[Callable[[str], Facts | None]]] = web.AppKey("facts")
"""What is measured of a device now, by its id: newer than the store, which learns of it a little later."""


class _Query(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    area: Words | None = None
    floor: Words | None = None
    integration: Words | None = None
    health: HealthFilter | None = None
    finding: Words | None = None
    search: Words | None = None
    removed: bool = False
    limit: PageSize = 50
    cursor: CursorText | None = None


class Group(Struct, frozen=True, kw_only=True):
    """An area or a floor, and how many devices it has."""

    id: str
    name: str
    devices: int


class IntegrationGroup(Struct, frozen=True, kw_only=True):
    """An integration, and how many devices it has."""

    name: str
    devices: int


class Filters(Struct, frozen=True, kw_only=True):
    """What devices can be filtered by, and how many there would be."""

    areas: Sequence[Group]
    floors: Sequence[Group]
    integrations: Sequence[IntegrationGroup]
    health: Mapping[str, int]
    findings: Mapping[str, int]


async def get_devices(request: web.Request) -> web.Response:
    """Answer 200 with a page of devices by name.

    Who follows the cursors sees every device once that keeps its name meanwhile; a renamed one is seen where its name
    is when the page is read, so perhaps twice or not at all.
    """
    query = read_query(_Query, request.query)
    wanted = Wanted(
        area=query.area,
        floor=query.floor,
        integration=query.integration,
        health=query.health,
        finding=_kind(query.finding),
        search=query.search,
        removed=query.removed,
        after=read_cursor(query.cursor, tuple[Words, Words]),
    )
    async with home(request) as conn:
        rows = await devices.page(conn, TENANT, wanted, limit=query.limit + 1)
    shown = rows[: query.limit]
    following = cursor_of((shown[-1]["name"], shown[-1]["id"])) if len(rows) > query.limit else None
    fresh = request.app[FACTS]
    return ok(DevicePage(devices=[device_of(row, fresh(row["id"])) for row in shown], next_cursor=following))


async def get_device(request: web.Request) -> web.Response:
    """Answer 200 with all that is known of a device."""
    device_id = request.match_info["id"]
    async with home(request) as conn:
        row = None if "\0" in device_id else await devices.one(conn, TENANT, device_id)
        if row is None:
            raise NotFound("there is no device with this id")
        detail = detail_of(
            row,
            request.app[FACTS](device_id),
            entities=await entities.of_device(conn, TENANT, device_id),
            related=await devices.related(conn, TENANT, device_id),
            past=await health.history(conn, TENANT, device_id),
            findings=[
                finding_of(each) for each in await findings.of_device(conn, TENANT, device_id, resolved=_RESOLVED_SHOWN)
            ],
            zigbee=await zigbee_devices.of_device(conn, TENANT, device_id),
        )
    return ok(detail)


async def get_filters(request: web.Request) -> web.Response:
    """Answer 200 with the values that filter devices, and how many devices each leaves."""
    async with home(request) as conn:
        filters = Filters(
            areas=[Group(**row) for row in await overview.areas(conn, TENANT)],
            floors=[Group(**row) for row in await overview.floors(conn, TENANT)],
            integrations=[IntegrationGroup(**row) for row in await overview.integrations(conn, TENANT)],
            health={row["name"]: row["devices"] for row in await overview.health(conn, TENANT)},
            findings={row["name"]: row["devices"] for row in await overview.findings(conn, TENANT)},
        )
    return ok(filters)


def _kind(finding: str | None) -> Kind | Literal["any"] | None:
    if finding is None:
        return None
    try:
        return "any" if finding == "any" else Kind(finding)
    except ValueError as err:
        raise Rejected(f"finding: {finding!r} is no kind: give any, or one of {', '.join(Kind)}") from err


def add_routes(router: web.UrlDispatcher) -> None:
    """Serve devices."""
    router.add_get("/api/v1/devices", get_devices)
    router.add_get("/api/v1/devices/filters", get_filters)
    router.add_get("/api/v1/devices/{id}", get_device)
