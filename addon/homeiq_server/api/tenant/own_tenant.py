"""``/tenant/v1/tenant``: a tenant's own settings, and the key with which its devices register themselves."""

from typing import Final

from homeiq_server.credentials import digest, new_token
from homeiq_server.errors import Conflict, NotFound
from homeiq_server.store import tenants
from homeiq_server.store.pool import Conn

from .caller import Scope
from .operation import AnyOperation, Call, NoBody, NoQuery, Operation, Reply
from .tenant_shape import OwnTenant, OwnTenantChange, ProvisioningKey, given, own_tenant_of

TAG: Final = "Own settings"
_PATH: Final = "/tenant/v1/tenant"
_KEY: Final = f"{_PATH}/provisioning-key"


async def _shown(conn: Conn, tenant_id: str) -> OwnTenant:
    if (row := await tenants.own(conn, tenant_id)) is None:
        raise NotFound("there is no such tenant")
    return own_tenant_of(row)


async def _get(call: Call[NoQuery, NoBody]) -> Reply:
    async with call.conn() as conn:
        found = await _shown(conn, call.tenant_id)
    return Reply(content=found, version=found.version)


async def _patch(call: Call[NoQuery, OwnTenantChange]) -> Reply:
    async with call.conn() as conn:
        await tenants.lock(conn, call.tenant_id, version=call.if_match)
        before = await _shown(conn, call.tenant_id)
        if call.body.auto_provision is True and not before.has_provisioning_key:
            raise Conflict("auto_provision: there is no provisioning key: make one first")
        await tenants.change(conn, call.tenant_id, given(call.body))
        found = await _shown(conn, call.tenant_id)
    return Reply(content=found, version=found.version)


async def _post_key(call: Call[NoQuery, NoBody]) -> Reply:
    key = new_token("key")
    async with call.conn() as conn:
        await tenants.set_provisioning_key(conn, call.tenant_id, digest(key))
    return Reply(content=ProvisioningKey(provisioning_key=key))


async def _delete_key(call: Call[NoQuery, NoBody]) -> Reply:
    async with call.conn() as conn:
        if not await tenants.delete_provisioning_key(conn, call.tenant_id):
            raise NotFound("there is no provisioning key")
    return Reply()


def operations() -> tuple[AnyOperation, ...]:
    """Return the operations on a tenant's own settings."""
    return (
        Operation(
            method="GET",
            path=_PATH,
            tag=TAG,
            summary="Show the tenant's own settings.",
            scope=None,
            query=NoQuery,
            body=NoBody,
            answer=OwnTenant,
            handle=_get,
            problems=(404,),
        ),
        Operation(
            method="PATCH",
            path=_PATH,
            tag=TAG,
            summary="Let devices register themselves with the provisioning key, or not any more.",
            scope=Scope.DEVICES_WRITE,
            query=NoQuery,
            body=OwnTenantChange,
            answer=OwnTenant,
            handle=_patch,
            problems=(404, 409, 412),
            versioned=True,
        ),
        Operation(
            method="POST",
            path=_KEY,
            tag=TAG,
            summary="Make a provisioning key, shown in this answer and never again; the one before is dead at once.",
            scope=Scope.DEVICES_WRITE,
            query=NoQuery,
            body=NoBody,
            answer=ProvisioningKey,
            status=201,
            handle=_post_key,
        ),
        Operation(
            method="DELETE",
            path=_KEY,
            tag=TAG,
            summary="Delete the provisioning key: no device registers itself any more.",
            scope=Scope.DEVICES_WRITE,
            query=NoQuery,
            body=NoBody,
            status=204,
            handle=_delete_key,
            problems=(404,),
        ),
    )
