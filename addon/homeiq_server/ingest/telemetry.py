"""The channel that messages of devices take into the queue."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from homeiq_server.history.line_protocol import Form
from homeiq_server.history.points.translate import Memory
from homeiq_server.intake.channel import Channel, Store

from .lines import intake_of
from .message import Accepted

TELEMETRY: Final = "telemetry"


class TelemetryIntake(Channel):
    """Stores messages, and counts them with those that were refused."""

    def __init__(self, store: Store, form: Callable[[], Form | None]) -> None:
        """Store in ``store``.

        Args:
            store: Where lines wait.
            form: Returns which lines the database can hold, None when no history is kept; raises ``RetryLater`` while
                it is not known which database that is.
        """
        super().__init__(TELEMETRY, store, form)
        self._form = form
        self._memory = Memory(self.left_out)

    async def keep(self, accepted: Sequence[Accepted], rejected: Mapping[str, int]) -> None:
        """Return once they are on disk, all of them or none.

        Args:
            accepted: In the order in which they came.
            rejected: By reason: how many others came with them.

        Raises:
            RetryLater: They cannot be stored now.
        """
        intake = intake_of(self.name, accepted, rejected, form=self._form(), memory=self._memory)
        with self._noticing():
            await self._store.put(intake)
        self.rate.add(intake.tally.received)
