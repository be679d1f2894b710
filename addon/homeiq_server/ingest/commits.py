"""Keeps messages that are decided: the refused in the quarantine, then all of them in the queue; then tells of it."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from .message import Accepted, Inbound, Refused
from .parcel import Part
from .rounds import Rounds
from .telemetry import TelemetryIntake

_LOGGER = logging.getLogger(__name__)

ACCEPTED: Final = "ACCEPTED"
"""The outcome under which messages that were taken are counted."""

MOST_AT_ONCE: Final = 2_000
"""Messages in one commit; one of several kibibytes counts as several."""

_MOST_WAITING: Final = 40_000
_REFUSALS_WITHIN_S: Final = 10


class Keeping(Protocol):
    """Where refused messages are kept, see ``Quarantine``."""

    async def keep(self, refused: Sequence[tuple[Inbound, Refused]]) -> None:
        """Return once they are on disk, as far as they are kept; ``RetryLater`` when they cannot be."""
        ...


class Counting(Protocol):
    """Where messages are counted, see ``Counts``."""

    def add(self, tenant_id: str, outcome: str, *, metrics: int = 0, size: int = 0) -> None:
        """Count one message."""
        ...


class Commits:
    """One commit after the other; while one is under way the next gathers.

    Attributes:
        accepted: How many messages were taken, since the start.
        refused: By reason: how many were not.
        last_us: When the newest of them came; None before the first.
        followers: Told of the messages of each commit that were taken.
        parts: What has to run.
    """

    def __init__(self, channel: TelemetryIntake, quarantine: Keeping, counts: Counting) -> None:
        self.accepted = 0
        self.refused: Counter[str] = Counter()
        self.last_us: int | None = None
        self.followers: list[Callable[[Sequence[Accepted]], None]] = []
        self._channel = channel
        self._quarantine = quarantine
        self._counts = counts
        self._refusals: Rounds[None, Part, None] = Rounds(
            "refusals", self._keep_refused, most=MOST_AT_ONCE, most_waiting=_MOST_WAITING, within_s=_REFUSALS_WITHIN_S
        )
        self._commits: Rounds[None, Part, None] = Rounds(
            "commits", self._commit, most=MOST_AT_ONCE, most_waiting=_MOST_WAITING, within_s=None
        )
        self.parts = (self._refusals, self._commits)
        self._own_faults = 0

    @property
    def faults(self) -> int:
        """How many times a fault of our own kept messages waiting, or others from being told; the log tells more."""
        return self._own_faults + sum(part.faults for part in self.parts)

    async def keep(self, part: Part) -> None:
        """Return once all of it is kept. What is refused comes first, since it is counted together with the others.

        Raises:
            RetryLater: It cannot be kept now, and was not counted; of what is refused, some may be in the quarantine.
        """
        if part.quarantined():
            await self._refusals.join(None, part, weight=part.weight)
        await self._commits.join(None, part, weight=part.weight)

    async def _keep_refused(self, _key: None, parts: list[Part]) -> list[None]:
        await self._quarantine.keep([each for part in parts for each in part.quarantined()])
        return [None] * len(parts)

    async def _commit(self, _key: None, parts: list[Part]) -> list[None]:
        accepted = [each for part in parts for each in part.accepted]
        refused = [each for part in parts for each in part.refused]
        await self._channel.keep(accepted, Counter(verdict.reason.value for _, verdict in refused))
        try:
            self._tell(accepted, refused)
        except Exception:  # they are kept: nobody may be told to send them again
            self._own_faults += 1
            _LOGGER.exception("messages of devices were stored, but not all were told; please report this")
        return [None] * len(parts)

    def _tell(self, accepted: Sequence[Accepted], refused: Sequence[tuple[Inbound, Refused]]) -> None:
        self.accepted += len(accepted)
        self.refused.update(verdict.reason.value for _, verdict in refused)
        came = [message.received_us for message in accepted] + [inbound.received_us for inbound, _ in refused]
        self.last_us = max([*came, self.last_us or 0])
        for message in accepted:
            self._counts.add(message.tenant_id, ACCEPTED, metrics=len(message.metrics), size=message.size)
        for inbound, verdict in refused:
            self._counts.add(verdict.tenant_id, verdict.reason.value, size=len(inbound.payload))
        if accepted:
            for follow in self.followers:
                follow(accepted)
