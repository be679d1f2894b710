"""The channels that the spool treats in a way of their own."""

from typing import Final

LIVE: Final = "events"  # its events follow each other without a hole, and can so leave one
BACKFILL: Final = "backfill"
STATISTICS: Final = "statistics"
OWN: Final = "own"  # points of the server's own, never dropped to make room

PATIENT: Final = frozenset({BACKFILL, STATISTICS})
"""What can be asked for again, and so yields to the others: else a gap that dropping rows has made would be filled,
dropped and filled for ever."""

OF_SOURCE: Final = frozenset({LIVE, BACKFILL})
"""Whose lines a source's recorder can supply again."""
