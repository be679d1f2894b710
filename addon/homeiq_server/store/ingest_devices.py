"""Devices that send by MQTT or HTTP, as their tenant sees and changes them.

Whoever changes a row of a device and needs places locks these first, so that nobody waits for another in a circle.
"""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from collections.abc import Mapping, Sequence
from typing import Final, Literal
from uuid import UUID

from asyncpg import Record
from msgspec import Struct

from .enrolment import Enrolment, enrol
from .known import DeviceStatus
from .places import FREE, Places, Refusal, lock, why_none
from .pool import Conn

_SHOWN: Final = """
    SELECT d.*, st.last_seen_at
      FROM {} d LEFT JOIN device_states st ON st.tenant_id = d.tenant_id AND st.device_id = d.device_id
"""
_CHANGE: Final = f"""
    WITH changed AS (
        UPDATE ingest_devices SET {{}}, version = version + 1, updated_at = now()
         WHERE tenant_id = $1 AND device_id = $2 AND {{}}
        RETURNING *
    ) {_SHOWN.format("changed")}
"""
# Whoever had a token of its own is not believed with its tenant's key again.
_NO_PROOF: Final = """
    provisioned_by = CASE WHEN token_hash IS NULL THEN provisioned_by ELSE 'api' END,
    token_hash = NULL, activation_hash = NULL, activation_expires_at = NULL
"""
_ONE: Final = f"{_SHOWN.format('ingest_devices')} WHERE d.tenant_id = $1 AND d.device_id = $2 AND d.status <> 'DELETED'"
_DELETE: Final = _CHANGE.format(
    f"status = 'DELETED', {_NO_PROOF}", "status <> 'DELETED' AND ($3::int IS NULL OR version = $3)"
)
_REVOKE: Final = _CHANGE.format(f"status = 'REVOKED', {_NO_PROOF}", "status NOT IN ('REVOKED', 'DELETED')")
_SUSPEND: Final = _CHANGE.format("status = 'INACTIVE'", "status IN ('PENDING', 'ACTIVE')")
_REACTIVATE: Final = f"""
    WITH free AS MATERIALIZED (
        {FREE}
    ), changed AS (
        UPDATE ingest_devices
           SET status = CASE WHEN token_hash IS NULL AND provisioned_by = 'api' THEN 'PENDING' ELSE 'ACTIVE' END,
               subscription_id = (SELECT id FROM free WHERE places > 0
                                   ORDER BY id IS DISTINCT FROM ingest_devices.subscription_id, n LIMIT 1),
               version = version + 1, updated_at = now()
         WHERE tenant_id = $1 AND device_id = $3 AND status IN ('INACTIVE', 'REVOKED')
           AND EXISTS (SELECT FROM free WHERE places > 0)
        RETURNING *
    ) {_SHOWN.format("changed")}
"""
_THERE: Final = """
    SELECT device_id FROM ingest_devices WHERE tenant_id = $1 AND device_id = ANY($2::text[]) AND status <> 'DELETED'
"""
_FORGET_STATES: Final = "DELETE FROM device_states WHERE tenant_id = $1 AND device_id = ANY($2::text[])"
_PATCHABLE: Final = frozenset({"name", "site_id", "heartbeat_s", "manufacturer", "model", "sw_version", "metadata"})


class Wanted(Struct, frozen=True, kw_only=True):
    """Which devices to list; None: whatever it is.

    Attributes:
        status: None for all but deleted ones.
        search: Part of the id or the name, in any case.
        after: The id of the last one that was shown.
    """

    status: DeviceStatus | None = None
    site_id: str | None = None
    subscription_id: UUID | None = None
    search: str | None = None
    after: str | None = None


class Created(Struct, frozen=True, kw_only=True):
    """What became of devices that were to be registered.

    Attributes:
        made: The rows of those that are, by id.
        refused: Why others are not; ``CONFLICT`` when there is one with this id already.
    """

    made: dict[str, Record]
    refused: dict[str, Refusal | Literal["CONFLICT"]]


async def page(conn: Conn, tenant_id: str, wanted: Wanted, *, limit: int) -> list[Record]:
    """Return devices by id."""
    values: list[object] = [tenant_id]

    def value(given: object) -> str:
        values.append(given)
        return f"${len(values)}"

    conditions = [
        "d.tenant_id = $1",
        f"d.status = {value(wanted.status)}" if wanted.status else "d.status <> 'DELETED'",
    ]
    if wanted.site_id is not None:
        conditions.append(f"d.site_id = {value(wanted.site_id)}")
    if wanted.subscription_id is not None:
        conditions.append(f"d.subscription_id = {value(wanted.subscription_id)}")
    if wanted.search is not None:
        sought = f"lower({value(wanted.search)})"
        conditions.append(f"(strpos(lower(d.device_id), {sought}) > 0 OR strpos(lower(d.name), {sought}) > 0)")
    if wanted.after is not None:
        conditions.append(f"d.device_id > {value(wanted.after)}")
    return await conn.fetch(
        f"{_SHOWN.format('ingest_devices')} WHERE {' AND '.join(conditions)} ORDER BY d.device_id LIMIT {value(limit)}",
        *values,
    )


async def one(conn: Conn, tenant_id: str, device_id: str) -> Record | None:
    """Return a device by its id, None when there is none or it was deleted."""
    return await conn.fetchrow(_ONE, tenant_id, device_id)


async def create(
    conn: Conn, tenant_id: str, wanted: Sequence[Enrolment], subscription_id: UUID | None = None
) -> Created:
    """Register devices as far as there are places; one that was deleted is made afresh, with nothing that it ever said.

    Args:
        conn: In a transaction of the tenant.
        tenant_id: The tenant.
        wanted: No device twice. Places are given in this order.
        subscription_id: Whose places; None for those of all that are usable.

    Raises:
        NotFound: There is no such subscription.
    """
    places = await lock(conn, tenant_id, subscription_id)
    made = await enrol(conn, tenant_id, places, wanted, again=True)
    if made:
        await conn.execute(_FORGET_STATES, tenant_id, list(made))
    without = [each.device_id for each in wanted if each.device_id not in made]
    if not without:
        return Created(made=made, refused={})
    why = await why_none(conn, tenant_id, places, subscription_id)
    there = {row["device_id"] for row in await conn.fetch(_THERE, tenant_id, without)}
    return Created(made=made, refused={each: "CONFLICT" if each in there else why for each in without})


async def patch(
    conn: Conn, tenant_id: str, device_id: str, fields: Mapping[str, object], *, version: int | None
) -> Record | None:
    """Change fields of a device and return it.

    Args:
        conn: In a transaction of the tenant.
        tenant_id: The tenant.
        device_id: The device.
        fields: Of ``_PATCHABLE``, at least one.
        version: None for whatever it is.

    Returns:
        None when there is no such device, or it has another version.
    """
    assert fields.keys() <= _PATCHABLE  # noqa: S101 - names come from a shape, and become part of the statement
    changes = ", ".join(f"{name} = ${place}" for place, name in enumerate(fields, start=4))
    statement = _CHANGE.format(changes, "status <> 'DELETED' AND ($3::int IS NULL OR version = $3)")
    return await conn.fetchrow(statement, tenant_id, device_id, version, *fields.values())


async def delete(conn: Conn, tenant_id: str, device_id: str, *, version: int | None) -> bool:
    """Delete a device, whose place is free then and whose token is gone; False when ``patch`` would return None."""
    return await conn.fetchrow(_DELETE, tenant_id, device_id, version) is not None


async def revoke(conn: Conn, tenant_id: str, device_id: str) -> Record | None:
    """Shut a device out and take its token; None when it is not there, or revoked already."""
    return await conn.fetchrow(_REVOKE, tenant_id, device_id)


async def suspend(conn: Conn, tenant_id: str, device_id: str) -> Record | None:
    """Let a device rest with its token kept; None when it is neither pending nor active."""
    return await conn.fetchrow(_SUSPEND, tenant_id, device_id)


async def reactivate(conn: Conn, tenant_id: str, device_id: str, places: Places) -> Record | None:
    """Take a suspended or revoked device in again, in its own subscription if that has a place.

    It is active if it can prove itself, and pending otherwise.

    Returns:
        None when it is neither suspended nor revoked, or there is no place.
    """
    return await conn.fetchrow(_REACTIVATE, tenant_id, list(places.statuses), device_id)
