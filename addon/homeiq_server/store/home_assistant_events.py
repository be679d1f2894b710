"""Deliveries that Home Assistant fetches, because nothing here may call it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from .pool import Conn

_PENDING: Final = """
    SELECT d.id, d.payload FROM deliveries d
      JOIN integrations i ON i.tenant_id = d.tenant_id AND i.id = d.integration_id
     WHERE d.tenant_id = $1 AND d.state = 'PENDING' AND i.kind = 'home_assistant' AND i.enabled
     ORDER BY d.id LIMIT $2
"""
_DELIVERED: Final = """
    WITH delivered AS (
        UPDATE deliveries d
           SET state = 'DELIVERED', attempts = attempts + 1, finished_at = now(), last_error = NULL
          FROM integrations i
         WHERE d.tenant_id = $1 AND d.id = ANY($2::bigint[]) AND d.state = 'PENDING'
           AND i.tenant_id = d.tenant_id AND i.id = d.integration_id AND i.kind = 'home_assistant'
        RETURNING d.tenant_id, d.id
    ), noted AS (
        INSERT INTO delivery_attempts (tenant_id, delivery_id, number, at, ok, duration_s)
        SELECT d.tenant_id, d.id,
               coalesce((SELECT max(a.number) FROM delivery_attempts a
                          WHERE a.tenant_id = d.tenant_id AND a.delivery_id = d.id), 0) + 1,
               now(), true, 0
          FROM delivered d
    )
    SELECT count(*) FROM delivered
"""
_ADD: Final = """
    INSERT INTO deliveries (tenant_id, integration_id, change, payload, next_at)
    VALUES ($1, $2, 'test', $3, 'infinity') RETURNING id
"""


class HomeAssistantEvent(Struct, frozen=True, kw_only=True):
    """What Home Assistant is to be told.

    Attributes:
        id: Of the delivery.
        payload: What is told.
    """

    id: int
    payload: dict[str, Any]


async def pending(conn: Conn, tenant_id: str, *, limit: int) -> list[HomeAssistantEvent]:
    """Return what Home Assistant has not said that it has, oldest first."""
    return [HomeAssistantEvent(**dict(row)) for row in await conn.fetch(_PENDING, tenant_id, limit)]


async def delivered(conn: Conn, tenant_id: str, ids: Sequence[int]) -> int:
    """Note that Home Assistant has these; doing it twice is once. Return how many it had not before."""
    number: int = await conn.fetchval(_DELIVERED, tenant_id, ids)
    return number


async def add_test(conn: Conn, tenant_id: str, integration_id: UUID, payload: Mapping[str, object]) -> int:
    """Let a test wait for Home Assistant; return the delivery's id."""
    number: int = await conn.fetchval(_ADD, tenant_id, integration_id, dict(payload))
    return number
