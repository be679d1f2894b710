"""Damage leaves a gap, so that a backfill can fill it from what the source's recorder holds."""

from typing import Final

from homeiq_server.history.spool.tables.group import Group
from homeiq_server.history.spool.tables.tables import Tables
from homeiq_server.history.spool.totals import KnownGap

DAMAGE: Final = "damage"
"""The reason why lines are dropped and a gap is opened: what held them was damaged."""


def open_gap(tables: Tables, group: Group, source: str, start_us: int, end_us: int) -> None:
    """Open a gap for events that were lost with the rows that held them."""
    gap = KnownGap(source=source, start_us=start_us, end_us=end_us, events=None, reason=DAMAGE)
    if tables.gaps.open(gap, group.now_us):
        tables.gaps.join_surplus(source)
        group.gaps.append(gap)
