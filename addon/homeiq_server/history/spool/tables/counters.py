"""The table of counters, with a mirror in memory."""

import sqlite3
from collections import Counter
from collections.abc import Mapping
from typing import Final

from homeiq_server.history.spool.totals import ChannelTotals

LINES: Final = "lines"
GAPS: Final = "gaps"
_MAX_REASONS: Final = 64  # for one name; what comes beyond counts as "other", so that no caller can fill the table

type Key = tuple[str, str, str]
"""Scope (a channel, ``lines`` or ``gaps``), name, and reason or ``""``."""

_LOAD = "SELECT scope, name, reason, n FROM counters"

_ADD = """
    INSERT INTO counters (scope, name, reason, n)
         VALUES (?, ?, ?, ?)
    ON CONFLICT (scope, name, reason)
      DO UPDATE SET n = n + excluded.n
"""


class Counters:
    """Counts that only grow. The mirror equals the table whenever no transaction is open."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._counts: dict[str, dict[str, dict[str, int]]] = {}
        for scope, name, reason, n in db.execute(_LOAD):
            self._counts.setdefault(scope, {}).setdefault(name, {})[reason] = n

    def add(self, changes: Counter[Key]) -> None:
        """Write what changed, in the transaction that is open."""
        added: Counter[Key] = Counter()
        for key, n in changes.items():
            if n:
                added[self._bounded(key)] += n
        self._db.executemany(_ADD, [(*key, n) for key, n in added.items()])
        for (scope, name, reason), n in added.items():
            reasons = self._counts[scope][name]
            reasons[reason] = reasons.get(reason, 0) + n

    def total(self, scope: str, name: str) -> int:
        """Return one counter, all its reasons together."""
        return sum(self._counts.get(scope, {}).get(name, {}).values())

    def by_reason(self, scope: str, name: str) -> Mapping[str, int]:
        """Return a copy of one counter's reasons."""
        return dict(self._counts.get(scope, {}).get(name, {}))

    def intake(self) -> dict[str, ChannelTotals]:
        """Return every channel's totals."""
        return {
            channel: ChannelTotals(
                received=self.total(channel, "received"),
                converted=self.total(channel, "converted"),
                duplicate=self.total(channel, "duplicate"),
                skipped=self.by_reason(channel, "skipped"),
                rejected=self.by_reason(channel, "rejected"),
            )
            for channel in self._counts
            if channel not in {LINES, GAPS}
        }

    def _bounded(self, key: Key) -> Key:
        scope, name, reason = key
        reasons = self._counts.setdefault(scope, {}).setdefault(name, {})
        if reason not in reasons and len(reasons) >= _MAX_REASONS:
            return scope, name, "other"
        return key
