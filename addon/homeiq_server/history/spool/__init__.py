"""The durable queue on disk; ``spool.py`` tells its format, its invariant and its bounds."""

from .changes.complete_gap import Completed, Range
from .rows import DeadLetter, Row, Settled
from .spool import Spool
from .tables.dead_query import DeadQuery, StoredLetter, Which
from .totals import KnownGap, Totals, WhenFull

__all__ = [
    "Completed",
    "DeadLetter",
    "DeadQuery",
    "KnownGap",
    "Range",
    "Row",
    "Settled",
    "Spool",
    "StoredLetter",
    "Totals",
    "WhenFull",
    "Which",
]
