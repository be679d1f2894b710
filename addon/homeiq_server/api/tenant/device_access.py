"""Whether a device may send, and what it proves itself with: ``/tenant/v1/devices/{device_id}/...``."""

from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

from asyncpg import Record

from homeiq_server.credentials import digest, new_activation_code, new_token
from homeiq_server.errors import Conflict, NotFound
from homeiq_server.store import device_proofs, ingest_devices, places
from homeiq_server.store.pool import Conn

from .caller import Scope
from .device_making import activation_end, refused
from .device_shape import ActivationCode, DeviceToken, TenantDevice, device_of
from .operation import AnyOperation, Call, NoBody, NoQuery, Operation, Reply

type _Call = Call[NoQuery, NoBody]

NO_DEVICE: Final = "there is no device with this id"


async def _revoke(call: _Call) -> Reply:
    async with call.conn() as conn:
        device_id = call.path["device_id"]
        row = await ingest_devices.revoke(conn, call.tenant_id, device_id)
        return _shown(row or await _there(conn, call.tenant_id, device_id))  # it was revoked already


async def _suspend(call: _Call) -> Reply:
    async with call.conn() as conn:
        device_id = call.path["device_id"]
        if (row := await ingest_devices.suspend(conn, call.tenant_id, device_id)) is None:
            row = await _there(conn, call.tenant_id, device_id)
            if row["status"] != "INACTIVE":
                _cannot(row)
        return _shown(row)


async def _reactivate(call: _Call) -> Reply:
    async with call.conn() as conn:
        device_id = call.path["device_id"]
        usable = await places.lock(conn, call.tenant_id)
        if (row := await ingest_devices.reactivate(conn, call.tenant_id, device_id, usable)) is None:
            row = await _there(conn, call.tenant_id, device_id)
            if row["status"] not in ("PENDING", "ACTIVE"):
                raise Conflict(refused(await places.why_none(conn, call.tenant_id, usable)))
        return _shown(row)


async def _rotate(call: _Call) -> Reply:
    token, device_id = new_token("device"), call.path["device_id"]
    async with call.conn() as conn:
        row = await device_proofs.rotate(conn, call.tenant_id, device_id, digest(token))
        if row is None:
            _cannot(await _there(conn, call.tenant_id, device_id))
    return Reply(content=DeviceToken(device_id=device_id, token=token), version=row["version"])


async def _open_activation(call: _Call) -> Reply:
    code, until, device_id = new_activation_code(), activation_end(), call.path["device_id"]
    async with call.conn() as conn:
        row = await device_proofs.open_activation(conn, call.tenant_id, device_id, digest(code), until)
        if row is None:
            _cannot(await _there(conn, call.tenant_id, device_id))
    content = ActivationCode(device_id=device_id, activation_code=code, activation_expires_at=until)
    return Reply(content=content, version=row["version"])


async def _there(conn: Conn, tenant_id: str, device_id: str) -> Record:
    if (row := await ingest_devices.one(conn, tenant_id, device_id)) is None:
        raise NotFound(NO_DEVICE)
    return row


def _cannot(row: Record) -> NoReturn:
    raise Conflict(f"the device is {row['status']}: reactivate it first")


def _shown(row: Record) -> Reply:
    return Reply(content=device_of(row), version=row["version"])


def operations() -> tuple[AnyOperation, ...]:
    """Return what can be done about a device's right to send."""

    def operation(
        path: str, summary: str, answer: type, handle: Callable[[_Call], Awaitable[Reply]], *, conflicts: bool = True
    ) -> AnyOperation:
        return Operation(
            method="POST",
            path=f"/tenant/v1/devices/{{device_id}}/{path}",
            tag="Devices",
            summary=summary,
            scope=Scope.DEVICES_WRITE,
            query=NoQuery,
            body=NoBody,
            answer=answer,
            handle=handle,
            problems=(404, 409) if conflicts else (404,),
        )

    return (
        operation("revoke", "Shut a device out, and take its token", TenantDevice, _revoke, conflicts=False),
        operation("suspend", "Let a device rest with its token kept", TenantDevice, _suspend),
        operation("reactivate", "Take a suspended or revoked device in again", TenantDevice, _reactivate),
        operation("rotate-token", "Give a device a new token; the old one is dead at once", DeviceToken, _rotate),
        operation(
            "activation-code",
            "Make a code that the device can fetch a new token with; the old one is good until then",
            ActivationCode,
            _open_activation,
        ),
    )
