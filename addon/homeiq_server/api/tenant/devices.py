"""``/tenant/v1/devices``: devices that send by MQTT or HTTP, as their tenant registers and changes them."""

from asyncpg import Record
from msgspec import UNSET, structs

from homeiq_server.api.cursor import cursor_of, read_cursor
from homeiq_server.errors import Conflict, NotFound, Outdated, Rejected
from homeiq_server.store import ingest_devices
from homeiq_server.store.ingest_devices import Wanted
from homeiq_server.store.pool import Conn

from . import device_access
from .caller import Scope
from .device_making import Making, refused
from .device_shape import (
    DeviceId,
    DevicePatch,
    DevicesPage,
    DevicesQuery,
    MadeDevice,
    MadeDevices,
    NewDeviceBody,
    NewDevicesBody,
    TenantDevice,
    device_of,
)
from .operation import AnyOperation, Call, NoBody, NoQuery, Operation, Reply

_TAG = "Devices"
_PATH = "/tenant/v1/devices"


async def _list(call: Call[DevicesQuery, NoBody]) -> Reply:
    query = call.query
    after = read_cursor(query.cursor, tuple[DeviceId])
    wanted = Wanted(
        status=query.status,
        site_id=query.site_id,
        subscription_id=query.subscription_id,
        search=query.search,
        after=after[0] if after else None,
    )
    async with call.conn() as conn:
        rows = await ingest_devices.page(conn, call.tenant_id, wanted, limit=query.limit + 1)
    shown = rows[: query.limit]
    following = cursor_of((shown[-1]["device_id"],)) if len(rows) > query.limit else None
    return Reply(content=DevicesPage(devices=[device_of(row) for row in shown], next_cursor=following))


async def _get(call: Call[NoQuery, NoBody]) -> Reply:
    async with call.conn() as conn:
        row = await ingest_devices.one(conn, call.tenant_id, call.path["device_id"])
    if row is None:
        raise NotFound(device_access.NO_DEVICE)
    return _shown(row)


async def _make(call: Call[NoQuery, NewDeviceBody]) -> Reply:
    body = call.body
    making = Making.of(body, with_token=body.token)
    async with call.conn() as conn:
        created = await ingest_devices.create(conn, call.tenant_id, [making.enrolment], body.subscription_id)
    if reason := created.refused.get(body.device_id):
        raise Conflict(refused(reason))
    row = created.made[body.device_id]
    made = MadeDevice(device=device_of(row), token=making.token, activation_code=making.activation_code)
    return Reply(content=made, version=row["version"], headers={"Location": f"{_PATH}/{body.device_id}"})


async def _make_several(call: Call[NoQuery, NewDevicesBody]) -> Reply:
    body = call.body
    makings = [Making.of(each, with_token=body.token) for each in body.devices]
    first: dict[str, int] = {}
    for index, each in enumerate(body.devices):
        first.setdefault(each.device_id, index)
    async with call.conn() as conn:
        enrolments = [makings[index].enrolment for index in first.values()]
        created = await ingest_devices.create(conn, call.tenant_id, enrolments, body.subscription_id)
    results = [
        making.item(index, created.refused.get(each.device_id) if first[each.device_id] == index else "CONFLICT")
        for index, (each, making) in enumerate(zip(body.devices, makings, strict=True))
    ]
    return Reply(content=MadeDevices(created=len(created.made), results=results))


async def _patch(call: Call[NoQuery, DevicePatch]) -> Reply:
    device_id = call.path["device_id"]
    fields = {name: value for name, value in structs.asdict(call.body).items() if value is not UNSET}
    if not fields:
        raise Rejected("the body: name at least one field that is to change")
    async with call.conn() as conn:
        row = await ingest_devices.patch(conn, call.tenant_id, device_id, fields, version=call.if_match)
        if row is None:
            await _absent_or_outdated(conn, call.tenant_id, device_id)
            raise NotFound(device_access.NO_DEVICE)
    return _shown(row)


async def _delete(call: Call[NoQuery, NoBody]) -> Reply:
    device_id = call.path["device_id"]
    async with call.conn() as conn:
        if not await ingest_devices.delete(conn, call.tenant_id, device_id, version=call.if_match):
            await _absent_or_outdated(conn, call.tenant_id, device_id)
            raise NotFound(device_access.NO_DEVICE)
    return Reply()


async def _absent_or_outdated(conn: Conn, tenant_id: str, device_id: str) -> None:
    """Return when there is no such device.

    Raises:
        Outdated: There is.
    """
    if (row := await ingest_devices.one(conn, tenant_id, device_id)) is not None:
        raise Outdated(f"the device has version {row['version']} by now: fetch it again")


def _shown(row: Record) -> Reply:
    return Reply(content=device_of(row), version=row["version"])


def operations() -> tuple[AnyOperation, ...]:
    """Return what can be done with devices."""
    return (
        Operation(
            method="GET",
            path=_PATH,
            tag=_TAG,
            summary="List devices by id",
            scope=Scope.DEVICES_READ,
            query=DevicesQuery,
            body=NoBody,
            answer=DevicesPage,
            handle=_list,
        ),
        Operation(
            method="POST",
            path=_PATH,
            tag=_TAG,
            summary="Register a device; its token, or the code that is good for one, is shown this once",
            scope=Scope.DEVICES_WRITE,
            query=NoQuery,
            body=NewDeviceBody,
            answer=MadeDevice,
            status=201,
            handle=_make,
            problems=(404, 409, 413),
        ),
        Operation(
            method="POST",
            path=f"{_PATH}/batch",
            tag=_TAG,
            summary="Register several devices, each as far as there is a place for it",
            scope=Scope.DEVICES_WRITE,
            query=NoQuery,
            body=NewDevicesBody,
            answer=MadeDevices,
            handle=_make_several,
            problems=(404, 413),
        ),
        Operation(
            method="GET",
            path=f"{_PATH}/{{device_id}}",
            tag=_TAG,
            summary="Show a device",
            scope=Scope.DEVICES_READ,
            query=NoQuery,
            body=NoBody,
            answer=TenantDevice,
            handle=_get,
            problems=(404,),
        ),
        Operation(
            method="PATCH",
            path=f"{_PATH}/{{device_id}}",
            tag=_TAG,
            summary="Change what is known of a device",
            scope=Scope.DEVICES_WRITE,
            query=NoQuery,
            body=DevicePatch,
            answer=TenantDevice,
            handle=_patch,
            problems=(404, 412, 413),
            versioned=True,
        ),
        Operation(
            method="DELETE",
            path=f"{_PATH}/{{device_id}}",
            tag=_TAG,
            summary="Delete a device: its token is gone at once, and its place is free",
            scope=Scope.DEVICES_WRITE,
            query=NoQuery,
            body=NoBody,
            handle=_delete,
            problems=(404, 412),
            versioned=True,
        ),
        *device_access.operations(),
    )
