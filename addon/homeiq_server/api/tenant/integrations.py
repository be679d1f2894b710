"""``/tenant/v1/integrations``: where a tenant's alerts can go."""

from typing import Final
from uuid import UUID

from msgspec import UNSET

from homeiq_server.api.cursor import cursor_of, read_cursor
from homeiq_server.delivery.config import check_config
from homeiq_server.delivery.dispatch import Sender
from homeiq_server.delivery.signature import new_secret
from homeiq_server.errors import Conflict, NotFound, Outdated, Rejected
from homeiq_server.store import integrations
from homeiq_server.store.integrations import IntegrationFields
from homeiq_server.store.moments import moment, moment_us
from homeiq_server.store.pool import Conn
from homeiq_server.wire.batch import TimeUs

from .caller import Scope
from .integration_shape import (
    Integration,
    IntegrationBody,
    IntegrationMade,
    IntegrationPatch,
    Integrations,
    Page,
    integration_of,
    made_of,
)
from .integration_trial import trial_of
from .operation import AnyOperation, Call, NoBody, NoQuery, Operation, Reply

TAG: Final = "Integrations"
MOST: Final = 100
"""How many a tenant may have."""

_PATH: Final = "/tenant/v1/integrations"


async def found(conn: Conn, tenant_id: str, integration_id: UUID, *, locked: bool = False) -> integrations.Integration:
    """Return an integration.

    Raises:
        NotFound: There is none.
    """
    if (kept := await integrations.one(conn, tenant_id, integration_id, locked=locked)) is None:
        raise NotFound("there is no integration with this id")
    return kept


async def _list(call: Call[Page, NoBody]) -> Reply:
    key = read_cursor(call.query.cursor, tuple[TimeUs, UUID])
    after = None if key is None else (moment(key[0]), key[1])
    async with call.conn() as conn:
        kept = await integrations.page(conn, call.tenant_id, after, limit=call.query.limit + 1)
    shown = kept[: call.query.limit]
    following = cursor_of((moment_us(shown[-1].created_at), shown[-1].id)) if len(kept) > len(shown) else None
    return Reply(content=Integrations(integrations=[integration_of(each) for each in shown], next_cursor=following))


async def _get(call: Call[NoQuery, NoBody]) -> Reply:
    async with call.conn() as conn:
        kept = await found(conn, call.tenant_id, call.uuid())
    return Reply(content=integration_of(kept), version=kept.version)


async def _make(call: Call[NoQuery, IntegrationBody]) -> Reply:
    body = call.body
    fields = IntegrationFields(
        name=body.name, kind=body.kind, enabled=body.enabled, config=check_config(body.kind, body.config)
    )
    secret = new_secret() if body.kind == "webhook" else None
    async with call.conn() as conn:
        if await integrations.count(conn, call.tenant_id) >= MOST:
            raise Conflict(f"there are {MOST} integrations: delete those that nobody uses")
        kept = await integrations.add(conn, call.tenant_id, fields, [] if secret is None else [secret])
    return Reply(content=made_of(kept, secret), version=kept.version, headers={"Location": f"{_PATH}/{kept.id}"})


async def _change(call: Call[NoQuery, IntegrationPatch]) -> Reply:
    body = call.body
    async with call.conn() as conn:
        kept = await _of_version(conn, call)
        fields = IntegrationFields(
            name=kept.name if body.name is UNSET else body.name,
            kind=kept.kind,
            enabled=kept.enabled if body.enabled is UNSET else body.enabled,
            config=kept.config if body.config is UNSET else check_config(integration_of(kept).kind, body.config),
        )
        changed = await integrations.change(conn, call.tenant_id, kept.id, fields)
    return Reply(content=integration_of(changed), version=changed.version)


async def _delete(call: Call[NoQuery, NoBody]) -> Reply:
    async with call.conn() as conn:
        kept = await _of_version(conn, call)
        await integrations.delete(conn, call.tenant_id, kept.id)
    return Reply()


async def _rotate(call: Call[NoQuery, NoBody]) -> Reply:
    secret = new_secret()
    async with call.conn() as conn:
        kept = _signed(await found(conn, call.tenant_id, call.uuid(), locked=True))
        changed = await integrations.rotate(conn, call.tenant_id, kept.id, secret)
    return Reply(content=made_of(changed, secret), version=changed.version)


async def _retire(call: Call[NoQuery, NoBody]) -> Reply:
    async with call.conn() as conn:
        kept = _signed(await found(conn, call.tenant_id, call.uuid(), locked=True))
        changed = await integrations.retire(conn, call.tenant_id, kept.id)
    return Reply(content=integration_of(changed), version=changed.version)


async def _of_version[Body](conn: Conn, call: Call[NoQuery, Body]) -> integrations.Integration:
    kept = await found(conn, call.tenant_id, call.uuid(), locked=True)
    if call.if_match not in (None, kept.version):
        raise Outdated(f"the integration has version {kept.version} by now: fetch it again")
    return kept


def _signed(kept: integrations.Integration) -> integrations.Integration:
    if kept.kind != "webhook":
        raise Rejected(f"only webhooks are signed: an integration of kind {kept.kind} has no secret")
    return kept


def operations(sender: Sender) -> tuple[AnyOperation, ...]:
    """Return the operations on integrations; ``sender`` sends tests."""
    read, write = Scope.ROUTES_READ, Scope.ROUTES_WRITE
    return (
        Operation(
            method="GET",
            path=_PATH,
            tag=TAG,
            summary="List integrations.",
            scope=read,
            query=Page,
            body=NoBody,
            answer=Integrations,
            handle=_list,
        ),
        Operation(
            method="POST",
            path=_PATH,
            tag=TAG,
            summary="Make an integration; the secret of a webhook is shown in this answer and never again.",
            scope=write,
            query=NoQuery,
            body=IntegrationBody,
            answer=IntegrationMade,
            status=201,
            handle=_make,
            problems=(409, 413),
        ),
        Operation(
            method="GET",
            path=f"{_PATH}/{{id}}",
            tag=TAG,
            summary="Show an integration.",
            scope=read,
            query=NoQuery,
            body=NoBody,
            answer=Integration,
            handle=_get,
            problems=(404,),
        ),
        Operation(
            method="PATCH",
            path=f"{_PATH}/{{id}}",
            tag=TAG,
            summary="Change an integration; deliveries that were held back because it failed are tried at once.",
            scope=write,
            query=NoQuery,
            body=IntegrationPatch,
            answer=Integration,
            handle=_change,
            problems=(404, 412, 413),
            versioned=True,
        ),
        Operation(
            method="DELETE",
            path=f"{_PATH}/{{id}}",
            tag=TAG,
            summary="Delete an integration with its routes and deliveries.",
            scope=write,
            query=NoQuery,
            body=NoBody,
            handle=_delete,
            problems=(404, 412),
            versioned=True,
        ),
        Operation(
            method="POST",
            path=f"{_PATH}/{{id}}/rotate-secret",
            tag=TAG,
            summary="Sign with a new secret, shown in this answer and never again; the old one stays active beside it.",
            scope=write,
            query=NoQuery,
            body=NoBody,
            answer=IntegrationMade,
            handle=_rotate,
            problems=(404,),
        ),
        Operation(
            method="POST",
            path=f"{_PATH}/{{id}}/retire-secret",
            tag=TAG,
            summary="Sign no longer with the old secret.",
            scope=write,
            query=NoQuery,
            body=NoBody,
            answer=Integration,
            handle=_retire,
            problems=(404,),
        ),
        trial_of(sender),
    )
