"""Snapshots of which parts are still to come: compressed, and within bounds."""

import time
from collections.abc import Callable, Sequence
from compression import zstd
from dataclasses import dataclass, field
from typing import Final, Self

from homeiq_server.errors import TooLarge
from homeiq_server.wire.registry import RegistryPart, decode_registry

MAX_BYTES: Final = 64 * 2**20
"""Of one snapshot, as it was sent: more than twice what 10,000 devices with 50,000 entities need."""

MAX_KEPT_BYTES: Final = 16 * 2**20
"""Of all unfinished snapshots, compressed."""

MAX_SOURCES: Final = 8
PATIENCE_S: Final = 600
_QUICKLY: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A part that has its shape, compressed until its turn comes.

    Attributes:
        sent_bytes: The size of the body as it was sent.
    """

    source: str
    revision: int
    base: int | None
    part: int
    last: bool
    sent_bytes: int
    body: bytes = field(repr=False)

    @classmethod
    def of(cls, body: bytes | bytearray) -> Self:
        """Return the part in a request's body.

        Raises:
            Rejected: It has another shape; the text names the field.
        """
        told = decode_registry(body)
        return cls(
            source=told.source,
            revision=told.revision,
            base=told.base,
            part=told.part,
            last=told.last,
            sent_bytes=len(body),
            body=zstd.compress(body, _QUICKLY),
        )

    def unpack(self) -> RegistryPart:
        """Return it as it was sent."""
        return decode_registry(zstd.decompress(self.body))


@dataclass(slots=True)
class _Snapshot:
    parts: list[Packed]
    touched: float


class Unfinished:
    """The snapshots of all sources that have begun and not ended: one of each source, the newest that began.

    Of too many, or too many bytes, those go that were not heard of for the longest time; their senders find their next
    part out of turn, and begin again. So does one that was not heard of for ``PATIENCE_S``.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Hold nothing; ``now`` tells monotonic seconds."""
        self._now = now
        self._snapshots: dict[str, _Snapshot] = {}  # the last to be heard of is the last

    def before(self, part: Packed) -> Sequence[Packed] | None:
        """Return the parts before this one, None when it is out of turn.

        Part 0 begins a new snapshot. A part that comes again, because its answer was lost, takes its own place again.
        """
        self._forget_old()
        if part.part == 0:
            self.drop(part.source)
            return ()
        known = self._snapshots.get(part.source)
        if known is None or known.parts[0].revision != part.revision or len(known.parts) < part.part:
            return None
        return known.parts[: part.part]

    def keep(self, before: Sequence[Packed], part: Packed) -> None:
        """Keep a part behind those before it.

        Raises:
            TooLarge: The snapshot is over a limit; nothing of it is kept.
        """
        self.drop(part.source)
        parts = [*before, part]
        if (size := sum(each.sent_bytes for each in parts)) > MAX_BYTES:
            raise TooLarge(f"the snapshot has {size} bytes up to here, at most {MAX_BYTES} are taken in all its parts")
        if (size := _kept_bytes(parts)) > MAX_KEPT_BYTES:
            raise TooLarge(f"the snapshot has {size} bytes compressed, at most {MAX_KEPT_BYTES} are kept")
        self._snapshots[part.source] = _Snapshot(parts, self._now())
        while len(self._snapshots) > MAX_SOURCES or self.kept_bytes > MAX_KEPT_BYTES:
            self.drop(next(iter(self._snapshots)))

    def drop(self, source: str) -> None:
        """Forget what has come of a snapshot, if any has."""
        self._snapshots.pop(source, None)

    @property
    def kept_bytes(self) -> int:
        """How many bytes all of them take."""
        return sum(_kept_bytes(snapshot.parts) for snapshot in self._snapshots.values())

    def _forget_old(self) -> None:
        until = self._now() - PATIENCE_S
        for source in [source for source, snapshot in self._snapshots.items() if snapshot.touched < until]:
            self.drop(source)


def _kept_bytes(parts: Sequence[Packed]) -> int:
    return sum(len(part.body) for part in parts)
