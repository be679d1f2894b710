"""The bodies of requests and their meaning. Pure.

One bad item costs only itself: a batch is decoded as a whole, and only when that fails each item by itself.
"""

from .batch import MAX_ITEMS, Batch, Rejection
from .events import decode_backfill, decode_events
from .faults import read_body, read_query
from .statistics import decode_statistics

__all__ = [
    "MAX_ITEMS",
    "Batch",
    "Rejection",
    "decode_backfill",
    "decode_events",
    "decode_statistics",
    "read_body",
    "read_query",
]
