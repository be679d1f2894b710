"""``/tenant/v1/device-states``: what devices said last, and to follow it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

from asyncpg import Record
from msgspec import Meta, Struct

from homeiq_server.alerts.waking import Waking
from homeiq_server.api.cursor import cursor_of, read_cursor
from homeiq_server.api.parameters import CursorText, PageSize
from homeiq_server.store import device_states
from homeiq_server.store.device_states import Place
from homeiq_server.store.moments import moment

from .caller import Scope
from .operation import AnyOperation, Call, NoBody, Operation, Reply
from .polling import WaitS, until_news

type _Key = tuple[Annotated[int, Meta(ge=0, le=2**63 - 1)], Annotated[str, Meta(max_length=255, pattern=r"^[^\x00]*$")]]

_MISSED: Final = 3
"""So many heartbeats in a row a device may miss."""


class MetricValue(Struct, frozen=True, kw_only=True):
    """A value, and the device's own time of it."""

    value: float | int | bool | str | None
    at: datetime


class DeviceState(Struct, frozen=True, kw_only=True):
    """A device, and the newest that it said.

    Attributes:
        heartbeat_s: How often it says that it is there; null when it does not promise that.
        last_seen_at: When anything came of it.
        available: Whether it was heard within three of its heartbeats; null when it does not promise any.
        metrics: By name, in the device's own units.
        latitude: In degrees, as longitude.
    """

    device_id: str
    name: str | None
    site_id: str
    status: Literal["PENDING", "ACTIVE", "INACTIVE", "REVOKED", "DELETED"]
    manufacturer: str | None
    model: str | None
    sw_version: str | None
    heartbeat_s: int | None
    last_seen_at: datetime | None
    last_heartbeat_at: datetime | None
    last_telemetry_at: datetime | None
    available: bool | None
    metrics: Mapping[str, MetricValue]
    latitude: float | None
    longitude: float | None


class DeviceStates(Struct, frozen=True, kw_only=True):
    """Devices, those that changed longest ago first; ``cursor`` is the ``after`` of the next question."""

    devices: Sequence[DeviceState]
    cursor: str


class StatesQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From where on to follow, and how long to wait for something new."""

    after: CursorText | None = None
    wait_s: WaitS = 0
    limit: PageSize = 500


def operations(waking: Waking) -> tuple[AnyOperation, ...]:
    """Return the route of what devices said; ``waking`` tells when there may be something new."""

    async def get_states(call: Call[StatesQuery, NoBody]) -> Reply:
        after = read_cursor(call.query.after, _Key.__value__)

        async def look() -> tuple[list[Record], Place]:
            async with call.conn() as conn:
                return await device_states.follow(conn, call.tenant_id, after, limit=call.query.limit)

        wait_s = 0 if after is None else call.query.wait_s
        rows, place = await until_news(call, look, waking, wait_s, lambda found: bool(found[0]))
        now = datetime.now(UTC)
        return Reply(content=DeviceStates(devices=[_state(row, now) for row in rows], cursor=cursor_of(place)))

    return (
        Operation(
            method="GET",
            path="/tenant/v1/device-states",
            tag="Devices",
            summary="Follow what devices say; without after: all devices that are not deleted",
            scope=Scope.DEVICES_READ,
            query=StatesQuery,
            body=NoBody,
            answer=DeviceStates,
            handle=get_states,
        ),
    )


def _state(row: Record, now: datetime) -> DeviceState:
    fields = {name: row[name] for name in DeviceState.__struct_fields__ if name not in ("available", "metrics")}
    metrics = {name: MetricValue(value=value, at=moment(time_us)) for name, (value, time_us) in row["metrics"].items()}
    return DeviceState(**fields, available=_is_available(row, now), metrics=metrics)


def _is_available(row: Record, now: datetime) -> bool | None:
    """Tell whether a device is there; None when it never promised to say so."""
    if row["heartbeat_s"] is None:
        return None
    seen_at: datetime | None = row["last_seen_at"]
    return seen_at is not None and now - seen_at <= timedelta(seconds=_MISSED * row["heartbeat_s"])
