"""Hours of long-term statistics."""

from collections.abc import Callable

from homeiq_server.history.line_protocol import Dialect
from homeiq_server.history.points.statistics import convert_statistics
from homeiq_server.model import Statistic
from homeiq_server.wire import Batch

from .channel import Answer, Channel, Store, answer
from .off import nothing_of


class StatisticsIntake(Channel):
    """Accepts batches of rows."""

    def __init__(self, store: Store, dialect: Callable[[], Dialect | None]) -> None:
        """Store in ``store``.

        Args:
            store: Where lines wait.
            dialect: Returns how the database escapes names, None when no history is kept; raises ``RetryLater`` while
                it is not known which database that is.
        """
        super().__init__("statistics", store, dialect)
        self._dialect = dialect

    async def accept(self, batch: Batch[Statistic]) -> Answer:
        """Store a batch and return what became of it; nothing is acknowledged that is not on disk.

        Raises:
            RetryLater: It cannot be stored now.
            SequenceHole: Batches before this one are missing.
        """
        self.admit()
        rows, dialect = batch.items.good, self._dialect()
        source = batch.position.source
        kept = nothing_of(len(rows)) if dialect is None else convert_statistics(rows, source=source, dialect=dialect)
        return answer(batch, await self.store(batch, kept))
