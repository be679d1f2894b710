"""Own points: the gaps, told to the database, so that a graph can show where events are missing.

``homeiq_gap,reason=restart,source=<instance> events=7.0,seconds=12.5 <start>``: numbers only, so that one form does for
all databases. A gap that has grown is told again at the same instant, and both numbers only grow.
"""

from typing import Final

from homeiq_server.history.line_protocol import INFLUX
from homeiq_server.history.spool.channels import OWN
from homeiq_server.history.spool.totals import KnownGap
from homeiq_server.model import Lines

from .batches import Batch
from .counters import LINES
from .group import Group

MOST: Final = 100  # in one transaction
BEYOND_LIMIT_BYTES: Final = 1024 * 1024  # they find room in a full queue, but not without end
_FORM: Final = "influx"


def tell(group: Group, room_bytes: int) -> Batch | None:
    """Return the points of the gaps that the group has noted, counted; None when there are none.

    Args:
        group: A transaction at its end.
        room_bytes: What is left of the queue's limit; less than nothing when it is over it.
    """
    has_room = room_bytes > -BEYOND_LIMIT_BYTES
    told = group.gaps[:MOST] if has_room else []
    group.counts[OWN, "received", ""] += len(group.gaps)
    group.counts[OWN, "converted", ""] += len(told)
    group.counts[OWN, "skipped", "too_many" if has_room else "queue_full"] += len(group.gaps) - len(told)
    group.counts[LINES, "spooled", ""] += len(told)
    if not told:
        return None
    return Batch(channel=OWN, source=None, form=_FORM, lines=Lines(b"\n".join(map(_line, told)), len(told)))


def _line(gap: KnownGap) -> bytes:
    fields = {} if gap.events is None else {"events": float(gap.events)}
    fields["seconds"] = (gap.end_us - gap.start_us) / 1e6
    tags = INFLUX.tags({"reason": gap.reason, "source": gap.source})
    return f"homeiq_gap{tags} {INFLUX.fields(fields)[1:]} {gap.start_us}".encode()
