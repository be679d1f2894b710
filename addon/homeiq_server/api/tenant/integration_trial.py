"""``POST /tenant/v1/integrations/{id}/test``: whether an integration works, found out by using it."""

import time
from datetime import UTC, datetime
from uuid import uuid4

from homeiq_server.delivery.dispatch import Sender
from homeiq_server.delivery.message import Message
from homeiq_server.errors import NotFound
from homeiq_server.store import home_assistant_events, integrations

from .caller import Scope
from .integration_shape import Trial
from .operation import AnyOperation, Call, NoBody, NoQuery, Operation, Reply


class _Trials:
    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def post(self, call: Call[NoQuery, NoBody]) -> Reply:
        integration_id, payload = call.uuid(), _payload(call.tenant_id)
        async with call.conn() as conn:
            kept = await integrations.one(conn, call.tenant_id, integration_id)
            if kept is None:
                raise NotFound("there is no integration with this id")
            if kept.kind == "home_assistant":
                waiting = await home_assistant_events.add_test(conn, call.tenant_id, integration_id, payload)
                return Reply(content=Trial(ok=True, status=None, error=None, duration_s=0, delivery_id=waiting))
            secrets = await integrations.secrets_of(conn, call.tenant_id, integration_id)
        message = Message(
            message_id=f"msg_{integration_id.hex}_test_{uuid4().hex}",
            tenant_id=call.tenant_id,
            kind=kept.kind,
            config=kept.config,
            secrets=secrets,
            payload=payload,
        )
        began = time.monotonic()
        outcome = await self._sender.send(message)
        took_s = time.monotonic() - began
        return Reply(
            content=Trial(
                ok=outcome.ok, status=outcome.status, error=outcome.error, duration_s=took_s, delivery_id=None
            )
        )


def _payload(tenant_id: str) -> dict[str, object]:
    now = datetime.now(UTC).isoformat()
    return {
        "id": 0,
        "tenant_id": tenant_id,
        "change": "test",
        "severity": 1,
        "severity_name": "info",
        "summary": "A test: nothing has happened",
        "kind": "TEST",
        "device_id": None,
        "site_id": None,
        "opened_at": now,
        "at": now,
        "details": {},
    }


def trial_of(sender: Sender) -> AnyOperation:
    """Return the operation that tries an integration by ``sender``."""
    return Operation(
        method="POST",
        path="/tenant/v1/integrations/{id}/test",
        tag="Integrations",
        summary="Send a test now, and tell what became of it.",
        scope=Scope.ROUTES_WRITE,
        query=NoQuery,
        body=NoBody,
        answer=Trial,
        handle=_Trials(sender).post,
        problems=(404,),
    )
