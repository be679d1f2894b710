"""The durable queue on disk; ``spool.py`` tells its format, its invariant and its bounds."""

from .coverage import Completed, Range
from .dead_query import DeadQuery, StoredLetter, Which
from .rows import DeadLetter, Row, Settled
from .spool import Spool
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
