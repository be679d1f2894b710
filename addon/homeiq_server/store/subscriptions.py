"""Subscriptions: how many devices a tenant may have, and until when. Places that are taken are counted from rows."""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from asyncpg import Record
from msgspec import Struct

from homeiq_server.errors import Conflict, NotFound, Outdated, Rejected

from .assignments import assignments
from .moments import moment
from .pool import Conn
from .subscription_audit import note, state_of
from .tenants import PLACED, USABLE

type Kind = Literal["MAIN", "ADDON", "TRIAL", "TEMPORARY"]
type Status = Literal["TRIAL", "ACTIVE", "GRACE", "SUSPENDED", "EXPIRED"]

_COLUMNS: Final = f"""
    s.*, (SELECT count(*) FROM ingest_devices d
           WHERE d.tenant_id = s.tenant_id AND d.subscription_id = s.id AND d.status IN {PLACED}) AS taken
"""
_ONE: Final = f"SELECT {_COLUMNS} FROM subscriptions s WHERE s.tenant_id = $1 AND s.id = $2"
_PAGE: Final = f"""
    SELECT {_COLUMNS} FROM subscriptions s WHERE s.tenant_id = $1 AND (s.created_at, s.id) > ($2, $3)
     ORDER BY s.created_at, s.id LIMIT $4
"""
_SUMMARY: Final = f"""
    SELECT count(*) AS subscriptions, min(s.term_end) AS term_end, coalesce(sum(s.taken), 0)::bigint AS taken,
           CASE WHEN bool_or(s.device_limit IS NULL) THEN NULL
                ELSE coalesce(sum(s.device_limit), 0) END AS device_limit,
           CASE WHEN bool_or(s.device_limit IS NULL) THEN NULL
                ELSE coalesce(sum(greatest(s.device_limit - s.taken, 0)), 0)::bigint END AS free
      FROM (SELECT {_COLUMNS} FROM subscriptions s WHERE s.tenant_id = $1 AND s.status IN {USABLE}) s
"""
# A subscription with its ADDONs, in the order in which places.py locks them too, so that nobody waits in a circle.
_LOCK: Final = """
    SELECT * FROM subscriptions WHERE tenant_id = $1 AND (id = $2 OR parent_id = $2)
     ORDER BY kind <> 'MAIN', created_at, id FOR UPDATE
"""
_TAKEN: Final = f"""
    SELECT count(*) FROM ingest_devices WHERE tenant_id = $1 AND subscription_id = $2 AND status IN {PLACED}
"""
_CREATE: Final = """
    INSERT INTO subscriptions
           (tenant_id, kind, parent_id, status, device_limit, term_start, term_end, grace_days, plan, description)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING *
"""
_CHANGE: Final = """
    UPDATE subscriptions SET %supdated_at = now(), version = version + 1 WHERE tenant_id = $1 AND id = $2 RETURNING *
"""


class NewSubscription(Struct, frozen=True, kw_only=True):
    """A subscription that is to be made.

    Attributes:
        parent_id: Of an ADDON, whose term it shares; None of all others.
        device_limit: None: no limit.
        term_end: None: no end. Of an ADDON it is the parent's.
        grace_days: How long after its end devices may still send, 0 to 365.
    """

    kind: Kind
    parent_id: UUID | None = None
    device_limit: int | None = None
    term_end: datetime | None = None
    grace_days: int = 14
    plan: str | None = None
    description: str | None = None


class Locked(Struct, frozen=True):
    """A subscription that nobody else changes until the transaction ends; nor does anybody take a place of it.

    Attributes:
        row: The subscription.
        addons: Those that share its term.
    """

    row: Record
    addons: list[Record]


async def one(conn: Conn, tenant_id: str, subscription_id: UUID) -> Record | None:
    """Return a subscription, with the places that are ``taken``."""
    return await conn.fetchrow(_ONE, tenant_id, subscription_id)


async def page(conn: Conn, tenant_id: str, after: tuple[int, UUID] | None, *, limit: int) -> list[Record]:
    """Return subscriptions, oldest first, behind one's time of creation (µs) and id."""
    created_us, subscription_id = after or (0, UUID(int=0))
    return await conn.fetch(_PAGE, tenant_id, moment(created_us), subscription_id, limit)


async def summary(conn: Conn, tenant_id: str) -> Record:
    """Return the numbers of all with which devices may send: subscriptions, device_limit, taken, free, term_end."""
    row = await conn.fetchrow(_SUMMARY, tenant_id)
    assert row is not None  # noqa: S101 - it has no GROUP BY
    return row


async def lock(conn: Conn, tenant_id: str, subscription_id: UUID, *, version: int | None = None) -> Locked:
    """Lock a subscription and its ADDONs.

    Raises:
        NotFound: There is none.
        Outdated: It has another version than the one that is given.
    """
    rows = await conn.fetch(_LOCK, tenant_id, subscription_id)
    found = [row for row in rows if row["id"] == subscription_id]
    if not found:
        raise NotFound("there is no subscription with this id")
    if version not in (None, present := found[0]["version"]):
        raise Outdated(f"the subscription has version {present} now: fetch it again")
    return Locked(found[0], [row for row in rows if row["id"] != subscription_id])


async def taken(conn: Conn, tenant_id: str, subscription_id: UUID) -> int:
    """Count the places that are taken; exact while the subscription is locked."""
    return int(await conn.fetchval(_TAKEN, tenant_id, subscription_id))


async def create(conn: Conn, tenant_id: str, new: NewSubscription, *, actor: str, now: datetime) -> UUID:
    """Make a subscription that begins now.

    Raises:
        Rejected: An ADDON has no MAIN one as its parent.
        Conflict: Its term would be over.
    """
    term_end = await _parent_end(conn, tenant_id, new.parent_id) if new.parent_id else new.term_end
    if term_end is not None and term_end <= now:
        raise Conflict("its term would be over already: let it end later, or renew its parent first")
    status = "TRIAL" if new.kind == "TRIAL" else "ACTIVE"
    made = (new.kind, new.parent_id, status, new.device_limit, now, term_end, new.grace_days, new.plan, new.description)
    row = await conn.fetchrow(_CREATE, tenant_id, *made)
    assert row is not None  # noqa: S101 - it returns what it inserts
    await note(conn, tenant_id, row["id"], "CREATED", actor=actor, before=None, after=state_of(row))
    subscription_id: UUID = row["id"]
    return subscription_id


async def change(  # noqa: PLR0913 - whose, which, what, and what becomes part of the audit
    conn: Conn,
    tenant_id: str,
    before: Record,
    given: Mapping[str, object],
    *,
    event: str,
    actor: str,
    details: Mapping[str, object] | None = None,
) -> Record:
    """Set columns of a subscription that is locked, and note that in its audit."""
    row = await conn.fetchrow(_CHANGE % assignments(given, first=3), tenant_id, before["id"], *given.values())
    assert row is not None  # noqa: S101 - it is locked
    states = {"before": state_of(before), "after": state_of(row)}
    await note(conn, tenant_id, row["id"], event, actor=actor, **states, details=details)
    return row


async def adjust(conn: Conn, tenant_id: str, locked: Locked, given: Mapping[str, object], *, actor: str) -> None:
    """Change what the operator wants of a subscription; its ADDONs get its end too.

    Raises:
        Rejected: An ADDON is given an end of its own, or the end lies before the beginning.
        Conflict: More places are taken than it would have.
    """
    if not given:
        return
    await _check(conn, tenant_id, locked.row, given)
    row = await change(conn, tenant_id, locked.row, given, event="CHANGED", actor=actor)
    if row["term_end"] != locked.row["term_end"]:
        for addon in locked.addons:
            await change(conn, tenant_id, addon, {"term_end": row["term_end"]}, event="INHERITED", actor=actor)


async def _check(conn: Conn, tenant_id: str, row: Record, given: Mapping[str, object]) -> None:
    if "term_end" in given:
        if row["kind"] == "ADDON":
            raise Rejected("term_end: an ADDON ends with its parent: change that one")
        if isinstance(end := given["term_end"], datetime) and end <= row["term_start"]:
            raise Rejected("term_end: lies before the beginning of the term")
    if isinstance(limit := given.get("device_limit"), int):
        used = await taken(conn, tenant_id, row["id"])
        if used > limit:
            raise Conflict(f"{used} places are taken, {used - limit} more than it would have: free these first")


async def _parent_end(conn: Conn, tenant_id: str, parent_id: UUID) -> datetime | None:
    try:
        parent = (await lock(conn, tenant_id, parent_id)).row
    except NotFound as err:
        raise Rejected("parent_id: there is no such subscription") from err
    if parent["kind"] != "MAIN":
        raise Rejected("parent_id: only a MAIN subscription can have an ADDON")
    end: datetime | None = parent["term_end"]
    return end
