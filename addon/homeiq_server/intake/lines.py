"""Line protocol, as other clients send it to InfluxDB."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Final

from homeiq_server.history.line_protocol import Form
from homeiq_server.history.line_scan import Fault, Piece, Scan
from homeiq_server.history.points.translate import Memory, translate
from homeiq_server.history.precision import Precision
from homeiq_server.model import Intake, Lines, Tally

from .channel import Channel, Store

LINE_PROTOCOL: Final = "line_protocol"

_TOGETHER_BYTES: Final = 1024 * 1024  # in one transaction; a request of up to so much is stored wholly or not at all
_NOT_ALONE: Final = "sent together with lines that cannot be read"
_NOT_STORABLE: Final = "text only"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a body.

    Attributes:
        good: How many lines could be read.
        refused: How many could not.
        faults: The first of these.
    """

    good: int
    refused: int
    faults: Sequence[Fault]


class LineIntake(Channel):
    """Accepts bodies of lines; comments and empty lines are none."""

    def __init__(
        self, store: Store, form: Callable[[], Form | None], *, now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        """Store in ``store``.

        Args:
            store: Where lines wait.
            form: Returns which lines the database can hold, None when no history is kept; raises ``RetryLater`` while
                it is not known which database that is.
            now_ns: The time of receipt, for lines without one.
        """
        super().__init__(LINE_PROTOCOL, store, form)
        self._form = form
        self._now_ns = now_ns
        self._memory = Memory(self.left_out)
        self._large = asyncio.Lock()

    async def accept(
        self, body: bytearray, precision: Precision, *, partly: bool, grow: Callable[[int], None]
    ) -> Taken:
        """Store the lines of a body; nothing is acknowledged that is not on disk.

        Args:
            body: Not changed meanwhile.
            precision: What its times count.
            partly: Store the good lines of a body that has others, too; else none of it.
            grow: Is told how many bytes are needed beside the body, and may refuse.

        Raises:
            TooLarge: It takes too much memory.
            RetryLater: It cannot be stored now. Of more than a mebibyte a part may have been, which does no
                harm when it is sent again.
        """
        self.admit()
        # Of large bodies one at a time: on its way to the disk each is in memory several times in parts.
        async with self._large if len(body) > _TOGETHER_BYTES else nullcontext():
            scan = Scan(body, precision, now_ns=self._now_ns())
            for _ in scan.steps():
                grow(scan.copied_bytes)
                await asyncio.sleep(0)  # others have their turn
            await self._store_all(scan, precision.name, partly=partly)
        return Taken(scan.good, scan.reasons.total(), scan.faults)

    async def _store_all(self, scan: Scan, precision: str, *, partly: bool) -> None:
        refused: Mapping[str, int] = scan.reasons
        pieces = scan.pieces
        if refused and not partly:
            refused, pieces = Counter(refused) + Counter({_NOT_ALONE: scan.good}), []
        for together in _together(pieces):
            await self._put(together, precision, refused)
            refused = {}
        if refused:
            await self._put([], precision, refused)

    async def _put(self, pieces: Sequence[Piece], precision: str, refused: Mapping[str, int]) -> None:
        good = sum(piece.count for piece in pieces)
        received = good + sum(refused.values())
        skipped, bodies = await self._storable(pieces, precision)
        body = b"\n".join(bodies)
        tally = Tally(
            received=received,
            converted=good - sum(skipped.values()),
            skipped=skipped,
            rejected=refused,
        )
        intake = Intake(
            channel=self.name,
            tally=tally,
            lines=Lines(body, body.count(b"\n") + 1 if body else 0, precision),
            last_us=max((piece.last_us for piece in pieces), default=None),
        )
        with self._noticing():
            await self._store.put(intake)
        self.rate.add(received)

    async def _storable(self, pieces: Sequence[Piece], precision: str) -> tuple[dict[str, int], list[bytes]]:
        """Return how many lines hold nothing that the database could keep, by reason, and what is to be written."""
        form = self._form()
        if form is None:
            count = sum(piece.count for piece in pieces)
            return ({"history is off": count} if count else {}), []
        if form == "influx":
            return {}, [piece.lines() for piece in pieces]
        bodies, skipped = [], 0
        for piece in pieces:
            if self._memory.changes_nothing(body := piece.lines()):
                bodies.append(body)
                continue
            lines = translate(body.split(b"\n"), to=form, precision=precision, memory=self._memory)
            bodies += filter(None, lines)
            skipped += lines.count(b"")
            await asyncio.sleep(0)
        return ({_NOT_STORABLE: skipped} if skipped else {}), bodies


def _together(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Yield pieces that are stored in one transaction."""
    together: list[Piece] = []
    size = 0
    for piece in pieces:
        if together and size + len(piece.body) > _TOGETHER_BYTES:
            yield together
            together, size = [], 0
        together.append(piece)
        size += len(piece.body)
    if together:
        yield together
