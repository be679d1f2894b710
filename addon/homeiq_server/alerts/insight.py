"""Makes alerts of findings of the home by the rules that ask for them: resolved and muted ones clear."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from asyncpg import Record

from homeiq_server.store import alert_changes, alerts, finding_changes, insight_alerts
from homeiq_server.store.alerts import Opening
from homeiq_server.store.pool import Conn, Tenants

HOME: Final = "home"
_KIND: Final = "INSIGHT"


class Insight:
    """Follows what becomes of findings."""

    def __init__(self, store: Tenants, on_change: Callable[[str], None]) -> None:
        self._store = store
        self._on_change = on_change
        self._seen: int | None = None

    def forget(self) -> None:
        """Compare anew on the next look: rules have changed."""
        self._seen = None

    async def look(self, now: datetime) -> None:
        """Let the alerts be those of the findings that are open and not muted, when something became of findings.

        Raises:
            RetryLater: The store is away; the next look does it.
        """
        async with self._store.tenant(HOME) as conn:
            newest = await finding_changes.last(conn, HOME)
            if newest == self._seen:
                return
            await _bring(conn, now)
        self._seen = newest
        self._on_change(HOME)


async def _bring(conn: Conn, now: datetime) -> None:
    await alert_changes.lock(conn, HOME)
    known = await alerts.open_causes(conn, HOME, [_KIND])
    wanted = {_cause(row): row for row in await insight_alerts.wanted(conn, HOME)}
    over = [cause for cause in known if cause not in wanted]
    await alerts.clear_causes(conn, HOME, over, at=now, actor="finding")
    fresh = [_opening(cause, row) for cause, row in wanted.items() if row["severity"] > known.get(cause, 0)]
    await alerts.open_alerts(conn, HOME, fresh, at=now)


def _cause(row: Record) -> str:
    return f"rule:{row['rule_id']}:finding:{row['finding_id']}"


def _opening(cause: str, row: Record) -> Opening:
    return Opening(
        cause=cause,
        rule_id=row["rule_id"],
        kind=_KIND,
        device_id=row["device_id"],
        site_id=None,
        severity=row["severity"],
        summary=f"{row['title']}: {row['explanation']}",
        details={
            "rule": row["rule"],
            "finding_id": row["finding_id"],
            "finding_kind": row["finding_kind"],
            "entity_id": row["entity_id"],
            "evidence": row["evidence"],
            "since": row["opened_at"],
            "holds_since": row["since"],
        },
    )
