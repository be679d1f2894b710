"""The durable queue on disk; ``spool.py`` tells its format, its invariant and its bounds."""

from .rows import DeadLetter, Row, Settled
from .spool import Spool
from .totals import Totals

__all__ = ["DeadLetter", "Row", "Settled", "Spool", "Totals"]
