"""Renewals: a subscription's next term, with the places that it has then."""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from asyncpg import Record
from msgspec import UNSET, Struct, UnsetType

from homeiq_server.errors import Conflict, Rejected

from .pool import Conn
from .subscriptions import Locked, change, lock, taken
from .tenants import PLACED

# A device of the same name of another tenant, or of another subscription, has another place.
_DEACTIVATE: Final = f"""
    UPDATE ingest_devices SET status = 'INACTIVE', updated_at = now(), version = version + 1
     WHERE tenant_id = $1 AND subscription_id = $2 AND device_id = ANY($3::text[]) AND status IN {PLACED}
    RETURNING device_id
"""
_LAPSED: Final = frozenset({"GRACE", "SUSPENDED", "EXPIRED"})


class Renewal(Struct, frozen=True, kw_only=True):
    """What is asked for.

    Attributes:
        expected_term_end: The present end as the caller has seen it.
        term_end: The next end.
        device_limit: UNSET: as it is.
        plan: UNSET: as it is.
        deactivate: The devices that give up their places.
    """

    expected_term_end: datetime
    term_end: datetime
    device_limit: int | UnsetType = UNSET
    plan: str | UnsetType | None = UNSET
    deactivate: Sequence[str] = ()


async def renew(  # noqa: PLR0913 - whose, which, what, who and when
    conn: Conn, tenant_id: str, subscription_id: UUID, asked: Renewal, *, actor: str, now: datetime
) -> list[str]:
    """Give a subscription its next term; it is ACTIVE then, and so are its ADDONs. Return who gave up his place.

    Raises:
        NotFound: There is no such subscription.
        Rejected: The next term would not end later than the present one.
        Conflict: It has another end than was expected, none at all, or too few places; or somebody listed has none.
    """
    locked = await lock(conn, tenant_id, subscription_id)
    _check(locked.row, asked, now)
    gone = await _deactivate(conn, tenant_id, subscription_id, asked.deactivate)
    await _check_places(conn, tenant_id, locked.row, asked)
    start = now if locked.row["term_end"] <= now else locked.row["term_start"]
    given: dict[str, object] = {"status": "ACTIVE", "term_start": start, "term_end": asked.term_end}
    given |= {name: value for name in ("device_limit", "plan") if (value := getattr(asked, name)) is not UNSET}
    details = {"devices_deactivated": gone}
    await change(conn, tenant_id, locked.row, given, event="RENEWED", actor=actor, details=details)
    await _renew_addons(conn, tenant_id, locked, asked, actor)
    return gone


def _check(row: Record, asked: Renewal, now: datetime) -> None:
    end: datetime | None = row["term_end"]
    if row["kind"] == "ADDON":
        raise Conflict("an ADDON ends with its parent: renew that one")
    if end is None:
        raise Conflict("this subscription has no end: there is nothing to renew")
    if end != asked.expected_term_end:
        raise Conflict(f"it ends at {end.isoformat()}, not as expected: look whether it was renewed already")
    if asked.term_end <= max(end, now):
        raise Rejected("term_end: must be later than now and than the present end")


async def _deactivate(conn: Conn, tenant_id: str, subscription_id: UUID, listed: Sequence[str]) -> list[str]:
    wanted = sorted(set(listed))
    if not wanted:
        return []
    gone = {row["device_id"] for row in await conn.fetch(_DEACTIVATE, tenant_id, subscription_id, wanted)}
    if missing := [device_id for device_id in wanted if device_id not in gone]:
        raise Conflict(
            f"devices_to_deactivate: {len(missing)} of {len(wanted)} have no place of this subscription,"
            f" among them {missing[0]!r}"
        )
    return wanted


async def _check_places(conn: Conn, tenant_id: str, row: Record, asked: Renewal) -> None:
    limit = row["device_limit"] if asked.device_limit is UNSET else asked.device_limit
    if asked.device_limit is UNSET or limit is None:
        return
    used = await taken(conn, tenant_id, row["id"])
    if used > limit:
        raise Conflict(
            f"{used} places would be taken, {used - limit} more than there are: name {used - limit} more in"
            " devices_to_deactivate"
        )


async def _renew_addons(conn: Conn, tenant_id: str, locked: Locked, asked: Renewal, actor: str) -> None:
    for addon in locked.addons:
        status = "ACTIVE" if addon["status"] in _LAPSED else addon["status"]
        given = {"status": status, "term_end": asked.term_end}
        await change(conn, tenant_id, addon, given, event="INHERITED", actor=actor)
