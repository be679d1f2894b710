"""One request, sent until each of its lines was taken or condemned."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from homeiq_server.history.answers import Refusal
from homeiq_server.history.target import Target

from .conflicts import Conflicts
from .connection import Connection
from .draft import Draft
from .isolation import Condemned, isolate
from .pace import Pace
from .report import Meter
from .requests import Request


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a request.

    Attributes:
        condemned: Its lines that the database does not take; it has acknowledged all others.
        epoch: The database's process that did; None when it were several: the first has lost its part of them.
    """

    condemned: Sequence[Condemned]
    epoch: str | None


class Delivery:
    """Sends requests, one after the other and no faster than it may."""

    def __init__(
        self,
        connection: Connection,
        target: Target,
        *,
        pace: Pace,
        meter: Meter,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._target = target
        self._pace = pace
        self._meter = meter
        self._clock = clock
        self._conflicts = Conflicts(clock)

    def forget_conflicts(self) -> None:
        """Forget what was learned about types: another database answers."""
        self._conflicts.clear()

    async def send(self, request: Request) -> Delivered:
        """Return when the database has answered for good; nothing of the request needs to be sent again then."""
        epochs: set[str] = set()

        async def attempt(body: bytes) -> Refusal | None:
            refusal = await self._connection.persist(partial(self._write, body, request.precision))
            epochs.add(self._connection.epoch)
            return refusal

        body, draft = request.body, None
        self._conflicts.forget_old()
        if self._conflicts:
            draft = await asyncio.to_thread(self._draft, request)
            body = b"\n".join(draft.sent)
        condemned: Sequence[Condemned] = ()
        if refusal := await attempt(body):
            draft = draft or self._draft(request)
            condemned = await isolate(draft, refusal, attempt)
        if draft:
            self._meter.changed(draft.changes({index for verdict in condemned for index in verdict.lines}))
        return Delivered(condemned, epochs.pop() if len(epochs) == 1 else None)

    def _draft(self, request: Request) -> Draft:
        return Draft(request.body.split(b"\n"), precision=request.precision, conflicts=self._conflicts)

    async def _write(self, body: bytes, precision: str) -> Refusal | None:
        await self._pace.wait(body.count(b"\n") + 1)
        started = self._clock()
        refusal = await self._target.write(body, precision=precision)
        if refusal is None:
            self._meter.write_s.append(self._clock() - started)
        return refusal
