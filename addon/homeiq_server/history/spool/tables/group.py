"""What one transaction gathers, and the bounds that it keeps."""

from collections import Counter
from dataclasses import dataclass, field

from homeiq_server.history.spool.totals import KnownGap, WhenFull

from .batches import Batch
from .counters import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much may wait.

    Attributes:
        limit_bytes: The queue is full while its rows occupy so much or more; one request may go beyond.
        when_full: Whether new lines are refused then, or the oldest rows dropped to make room.
    """

    limit_bytes: int
    when_full: WhenFull = "refuse"


@dataclass(slots=True)
class Group:
    """What the changes of one transaction leave for its end.

    Attributes:
        now_us: The time of our clock.
        used_bytes: What the queue took of the disk at the beginning.
        gathered_bytes: What has been accepted since, as it came: packed it is less.
        shortage: Why the disk has no room for lines; None while it has.
        batches: Lines to queue; they are in ``counts`` already.
        gaps: Gaps that were opened or have grown, to be told as own points.
        counts: What to add to the counters.
    """

    now_us: int
    used_bytes: int = 0
    gathered_bytes: int = 0
    shortage: str | None = None
    batches: list[Batch] = field(default_factory=list)
    gaps: list[KnownGap] = field(default_factory=list)
    counts: Counter[Key] = field(default_factory=Counter)
