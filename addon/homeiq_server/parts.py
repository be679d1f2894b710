"""What is behind the interfaces, and the one view of how it all goes."""

import time
from typing import TYPE_CHECKING

from homeiq_server.database import Database
from homeiq_server.history.line_protocol import INFLUX, VICTORIA, Dialect
from homeiq_server.history.spool import Spool
from homeiq_server.history.target import Form
from homeiq_server.intake import EventIntake, HistoryOff, KnownLabels, LineIntake, StatisticsIntake
from homeiq_server.status import Seen, build
from homeiq_server.status.shape import (
    DatabaseStatus,
    HistoryStatus,
    LatencyStatus,
    RateStatus,
    Status,
    StoreStatus,
)

if TYPE_CHECKING:
    from homeiq_server.devices import Devices
    from homeiq_server.ingesting import Ingesting


class Parts:
    """What is behind the interfaces, and the one view of it all.

    Attributes:
        spool: Open.
        database: None when history is off.
        devices: None when the store is off.
        intake: Fills the spool with what happens.
        backfill: Fills it with what happened while nobody listened.
        statistics: Fills it with long-term statistics.
        lines: Fills it with what other clients send.
        ingest: Fills it with what devices send; None when they may not.
    """

    def __init__(self, spool: Spool, database: Database | None, devices: Devices | None, *, schema: str) -> None:
        """Open every way in; ``ingest`` is opened by the owner, who knows whether devices may send."""
        self.spool = spool
        self.database = database
        self.devices = devices
        self._schema_name = schema
        labels, points = KnownLabels(spool), database.schema if database else HistoryOff
        self.intake = EventIntake(spool, points, labels, observe=devices.observe if devices else None)
        self.backfill = EventIntake(spool, points, labels, name="backfill")
        self.statistics = StatisticsIntake(spool, self._dialect)
        self.lines = LineIntake(spool, self.form)
        self.ingest: Ingesting | None = None
        self._started_us = _now_us()

    def stop(self) -> None:
        """Take nothing any more."""
        for channel in (self.intake, self.backfill, self.statistics, self.lines):
            channel.stop()
        if self.ingest:
            self.ingest.stop()

    def status(self) -> Status:
        """Return how everything is now; no I/O."""
        report = self.database and self.database.writer.report()
        return build(
            Seen(
                now_us=_now_us(),
                started_us=self._started_us,
                server_id=self.spool.server_id,
                history=self._history(),
                totals=self.spool.totals(),
                database=self.database.status() if self.database else DatabaseStatus(),
                rates=RateStatus(self.intake.rate.per_minute(), report.lines_written_per_minute if report else 0.0),
                latency=self.database.latency() if self.database else LatencyStatus(),
                refusals=tuple(self.intake.refusals()),
                store=self.devices.store() if self.devices else StoreStatus(),
                insights=self.devices.insights() if self.devices else None,
                ingest=self.ingest.status() if self.ingest else None,
            )
        )

    def _history(self) -> HistoryStatus:
        left_out = self.intake.left_out + self.backfill.left_out + self.lines.left_out
        return HistoryStatus("on" if self.database else "off", self._schema_name, left_out)

    def form(self) -> Form | None:
        """Return which lines the database can hold, None without one; RetryLater while nobody knows what it is."""
        if self.database is None:
            return None
        self.database.schema()
        return "victoria" if self.spool.form == "victoria" else "influx"

    def _dialect(self) -> Dialect | None:
        """Return how it escapes names."""
        form = self.form()
        return form and (VICTORIA if form == "victoria" else INFLUX)


def _now_us() -> int:
    return time.time_ns() // 1_000
