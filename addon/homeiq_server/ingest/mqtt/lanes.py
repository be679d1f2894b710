"""The order of each device: a message of it is not taken before all that came before it are.

Time stamps alone would keep a history in order, but not what follows it: a newest value that is told twice, an alert
that opens again after it was cleared.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from homeiq_server.ingest.message import Inbound

_LAST_LEVEL: Final = "/"


@dataclass(slots=True, eq=False)
class _Lane:
    """A device of which messages are being taken.

    Attributes:
        left: How many of them.
        behind: Those that came after them, in turn.
    """

    left: int = 1
    behind: list[Held] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Held:
    """A message that is not acknowledged.

    Attributes:
        message: As it came.
        since: Monotonic seconds.
        again: The broker would send it again, were it not acknowledged.
        kept: Becomes 0, the reason code of success, once it is taken.
        tries: How many times it could not be kept.
        due: When it is tried again, by the clock of the event loop.
        lane: While it, or one that came with it, is being taken.
    """

    message: Inbound
    since: float
    again: bool
    kept: asyncio.Future[int]
    tries: int = 0
    due: float = 0.0
    lane: _Lane | None = None


class Lanes:
    """One for each device of which messages are being taken. It is known by its topic without the last level."""

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}

    def enter(self, came: Iterable[Held]) -> list[Held]:
        """Return those that may be taken now, in turn; the others wait behind those of their device that are."""
        lanes, fresh, ahead = self._lanes, dict[str, _Lane](), list[Held]()
        for held in came:
            device = _device(held)
            if (lane := fresh.get(device)) is not None:
                lane.left += 1
            elif (lane := lanes.get(device)) is not None:
                lane.behind.append(held)
                continue
            else:
                lane = fresh[device] = _Lane()
            held.lane = lane
            ahead.append(held)
        lanes.update(fresh)
        return ahead

    def leave(self, held: Held) -> list[Held]:
        """Let go of one that may be taken; return those that waited, when it was the last of its device."""
        lane, held.lane = held.lane, None
        if lane is None:
            return []
        lane.left -= 1
        if lane.left:
            return []
        del self._lanes[_device(held)]
        return lane.behind


def _device(held: Held) -> str:
    return held.message.topic.rpartition(_LAST_LEVEL)[0]
