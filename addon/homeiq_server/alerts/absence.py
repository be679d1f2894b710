"""Looks every few seconds which devices are not heard as they ought to be.

What all tenants' devices do is asked with one question; only those tenants are gone to where something has changed.
"""

import logging
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Final

from asyncpg import Record

from homeiq_server.errors import RetryLater
from homeiq_server.store import absences, alert_changes, alerts
from homeiq_server.store.absences import Pair
from homeiq_server.store.alerts import Opening
from homeiq_server.store.moments import moment_us
from homeiq_server.store.pool import Conn, Workers

from . import words
from .judging import cause_of

_LOGGER = logging.getLogger(__name__)
_RELOAD_US: Final = 300 * 1_000_000


class Absence:
    """Who is known to be absent, by tenant: those that are dealt with.

    Attributes:
        faults: How many times a tenant could not be dealt with by a fault of ours, since the start.
    """

    def __init__(self, store: Workers, on_change: Callable[[str], None]) -> None:
        self.faults = 0
        self._store = store
        self._on_change = on_change
        self._known: dict[str, set[Pair]] = {}
        self._loaded_us = 0

    async def look(self, tenants: set[str], listening_since: datetime | None, now: datetime) -> None:
        """Open alerts of devices that are absent, and clear those of devices that are heard.

        Args:
            tenants: Who has rules about that.
            listening_since: Since when all that devices send reaches us; None while it does not: then nobody is found
                to be absent.
            now: The time.

        Raises:
            RetryLater: The store is away; the next look does it.
        """
        found: defaultdict[str, set[Pair]] = defaultdict(set)
        if tenants:
            async with self._store.worker() as conn:
                rows = await absences.absent_everywhere(conn, listening_since, now) if listening_since else []
                known = [(tenant, *pair) for tenant, pairs in self._known.items() for pair in pairs]
                changed = await absences.heard_again(conn, known, now)
            for row in rows:
                found[row["tenant_id"]].add((row["rule_id"], row["device_id"]))
            changed |= {tenant for tenant, pairs in found.items() if pairs - self._known.get(tenant, set())}
            # What another server has opened is unknown here, until it is read.
            if moment_us(now) - self._loaded_us >= _RELOAD_US:
                changed |= tenants
                self._loaded_us = moment_us(now)
            for tenant_id in sorted(changed):
                await self._bring(tenant_id, found[tenant_id], listening_since, now)
        self._known = {tenant: pairs for tenant, pairs in self._known.items() if tenant in tenants and pairs}

    async def _bring(self, tenant_id: str, found: set[Pair], listening_since: datetime | None, now: datetime) -> None:
        try:
            async with self._store.tenant(tenant_id) as conn:
                known = await _bring(conn, tenant_id, listening_since, now)
        except RetryLater:
            raise
        except Exception:
            self.faults += 1
            _LOGGER.exception("absent devices of a tenant could not be told; please report this")
            known = found  # not again before something changes
        self._known[tenant_id] = known
        self._on_change(tenant_id)


async def _bring(conn: Conn, tenant_id: str, listening_since: datetime | None, now: datetime) -> set[Pair]:
    """Open and clear; return the rules and devices that are dealt with."""
    await alert_changes.lock(conn, tenant_id)
    over = await absences.over(conn, tenant_id, now)
    await alerts.clear_causes(conn, tenant_id, over, at=now, actor="device")
    known = await absences.open_pairs(conn, tenant_id)
    rows = await absences.absent(conn, tenant_id, listening_since, now) if listening_since else []
    fresh = [row for row in rows if (row["rule_id"], row["device_id"]) not in known]
    await alerts.open_alerts(conn, tenant_id, [_opening(row) for row in fresh], at=now)
    return known | {(row["rule_id"], row["device_id"]) for row in rows}


def _opening(row: Record) -> Opening:
    return Opening(
        cause=cause_of(row["rule_id"], row["device_id"]),
        rule_id=row["rule_id"],
        kind=row["kind"],
        device_id=row["device_id"],
        site_id=row["site_id"],
        severity=row["severity"],
        summary=words.absent(row["name"], row["kind"], row["silence_s"], row["heard_at"]),
        details={
            "rule": row["rule"],
            "heard_at": row["heard_at"],
            "since": row["since"],
            "silence_s": row["silence_s"],
        },
    )
