"""The way of devices' messages into the queue: decided, kept, and only then acknowledged.

What is known of a device is remembered, so that its messages ask nobody: they are decided at once, and stored with all
others that came while the commit before was under way. Messages of other devices wait for the store, those that are
refused for the quarantine; both in rounds of their own, so that nobody else waits with them.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from homeiq_server.errors import RetryLater
from homeiq_server.history.line_protocol import Form
from homeiq_server.intake.channel import Store
from homeiq_server.rates import Rate
from homeiq_server.store.pool import Workers

from .commits import Commits, Counting, Keeping
from .decisions import Decisions
from .known import Changing
from .limits import Limits
from .message import COUNTED_ONLY, Accepted, Inbound, Outcome, Refused
from .parcel import Parcel, Part
from .telemetry import TelemetryIntake


def _nobody(_places: Sequence[int]) -> None:
    """Be told of nothing."""


class Gate:
    """Takes messages, from any number of senders at once.

    Attributes:
        channel: The way into the queue, with what it refuses at the moment.
    """

    def __init__(  # noqa: PLR0913 - it stands between them
        self,
        store: Workers,
        spool: Store,
        *,
        limits: Limits,
        quarantine: Keeping,
        counts: Counting,
        form: Callable[[], Form | None],
        changes: Changing,
    ) -> None:
        """Take nothing yet: that begins with ``run``.

        Args:
            store: Knows tenants and devices.
            spool: Where lines wait for the database.
            limits: How much is taken.
            quarantine: Where refused messages are kept.
            counts: Counts all of them for their tenants.
            form: Returns which lines the database can hold, None when no history is kept; raises ``RetryLater`` while
                it is not known which database that is.
            changes: Tells what must not be remembered any more.
        """
        self.channel = TelemetryIntake(spool, form)
        self._decisions = Decisions(store, changes, limits)
        self._commits = Commits(self.channel, quarantine, counts)
        self._parts = (*self._decisions.registry.parts, *self._commits.parts)

    @property
    def accepted(self) -> int:
        """How many messages were taken, since the start."""
        return self._commits.accepted

    @property
    def refused(self) -> Counter[str]:
        """By reason: how many messages were not, since the start."""
        return self._commits.refused

    @property
    def last_us(self) -> int | None:
        """When the newest of all messages came; None before the first."""
        return self._commits.last_us

    @property
    def rate(self) -> Rate:
        """Messages, by the minute."""
        return self.channel.rate

    @property
    def senders(self) -> int:
        """How many devices' rates are watched."""
        return len(self._decisions.decider.charges)

    @property
    def bad_times(self) -> int:
        """How many messages were taken with the time of receipt because their own could not be true."""
        return self._decisions.decider.bad_times

    @property
    def faults(self) -> int:
        """How many times a fault of our own kept messages waiting, or others from being told; the log tells more."""
        return self._commits.faults + self._decisions.registry.faults

    def follow(self, observe: Callable[[Sequence[Accepted]], None]) -> None:
        """Call ``observe`` with the messages of each commit, after it; it must not raise."""
        self._commits.followers.append(observe)

    async def run(self) -> None:
        """Do the work, until ``stop`` and what was begun is done, or until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for part in self._parts:
                tasks.create_task(part.run(), name=f"ingest {part.name}")

    def stop(self) -> None:
        """Refuse from now on."""
        self.channel.stop()
        for part in self._parts:
            part.stop()

    async def take(self, messages: Sequence[Inbound]) -> list[Outcome]:
        """Return what became of messages once all of them are kept: in the queue, or in the quarantine.

        Raises:
            RetryLater: They cannot be kept now, nor was any of them counted: all may be sent again.
        """
        self.channel.admit()
        parcel = self._decisions.open(messages)
        try:
            await self._decisions.settle_all(parcel)
            outcomes = [_decided(outcome) for outcome in parcel.results()]
            if outcomes:
                await self._commits.keep(Part(parcel, range(len(outcomes))))
        except RetryLater:
            for case in parcel.cases:
                self._decisions.decider.charges.give_back(case)
            raise
        return outcomes

    async def take_each(
        self, messages: Sequence[Inbound], kept: Callable[[Sequence[int]], None] = _nobody
    ) -> list[Outcome | RetryLater]:
        """Return what became of messages, each for itself: one whose outcome is ``RetryLater`` may be sent again.

        Args:
            messages: In the order in which they came.
            kept: Called with the places of some that are kept, while others still wait for the store; must not raise.

        Raises:
            RetryLater: That holds for all of them.
        """
        self.channel.admit()
        parcel = self._decisions.open(messages)
        at_once, after_quarantine = list[int](), list[int]()
        for place, outcome in enumerate(parcel.outcomes):
            if outcome is not None:
                is_kept = isinstance(outcome, Refused) and outcome.reason not in COUNTED_ONLY
                (after_quarantine if is_kept else at_once).append(place)
        keeping = [
            *(self._try_to_keep(parcel, places, kept) for places in (at_once, after_quarantine)),
            *(self._settle_and_keep(parcel, *each, kept) for each in parcel.undecided().items()),
        ]
        # All of them end before a fault of one is told: of the others it must be known whether they are kept.
        faults = await asyncio.gather(*keeping, return_exceptions=True)
        for case, _ in parcel.failed():
            self._decisions.decider.charges.give_back(case)
        if fault := next((each for each in faults if each is not None), None):
            raise fault
        return parcel.results()

    async def _settle_and_keep(
        self, parcel: Parcel, tenant_id: str, places: Sequence[int], kept: Callable[[Sequence[int]], None]
    ) -> None:
        await self._decisions.settle(parcel, tenant_id, places)
        decided = [place for place in places if not isinstance(parcel.outcomes[place], RetryLater)]
        await self._try_to_keep(parcel, decided, kept)

    async def _try_to_keep(self, parcel: Parcel, places: Sequence[int], kept: Callable[[Sequence[int]], None]) -> None:
        if not places:
            return
        try:
            await self._commits.keep(Part(parcel, places))
        except RetryLater as err:
            parcel.fail(places, err)
        else:
            kept(places)


def _decided(outcome: Outcome | RetryLater) -> Outcome:
    if isinstance(outcome, RetryLater):
        raise outcome
    return outcome
