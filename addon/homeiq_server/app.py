"""Builds every part and runs them together; the only file that knows all the others.

Start and stop are nested: what others use starts before them and stops after them. However a part hangs, the stop takes
at most 9 s: 1.5 s for each listener's requests, 1 s for the writer, 2 s for the spool, 3 s for the embedded database.
What was acknowledged is on disk all the while.
"""

import asyncio
import logging
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

from aiohttp import web

from homeiq_server import VERSION, token
from homeiq_server.api.prometheus_proxy import PrometheusProxy
from homeiq_server.api.routes import Served, api, ingress
from homeiq_server.database import Database, open_embedded
from homeiq_server.discovery import Supervisor
from homeiq_server.embedded.victoria_metrics import VictoriaMetrics
from homeiq_server.errors import Misconfigured
from homeiq_server.history.line_protocol import INFLUX, VICTORIA, Dialect
from homeiq_server.history.spool import Spool
from homeiq_server.history.target import Form
from homeiq_server.intake import EventIntake, HistoryOff, KnownLabels, LineIntake, StatisticsIntake
from homeiq_server.options import MEBIBYTE, Options
from homeiq_server.serving import Listener
from homeiq_server.status import Seen, build
from homeiq_server.status.shape import DatabaseStatus, HistoryStatus, LatencyStatus, RateStatus, Status

_LOGGER = logging.getLogger(__name__)

_WRITER_WITHIN_S: Final = 1
_SPOOL_WITHIN_S: Final = 2
_CHILD_WITHIN_S: Final = 3

_LARGEST_SPOOL: Final = 1024 * MEBIBYTE
_SMALLEST_SPOOL: Final = 16 * MEBIBYTE
_PART_OF_FREE_DISK: Final = 0.2


async def run(options: Options, stop: asyncio.Event, *, supervisor: Supervisor | None = None) -> None:
    """Run the server until ``stop`` is set; with a ``supervisor``, Home Assistant is told of it.

    Raises:
        HomeIQError: It cannot start as it is set up.
        ExceptionGroup: A part failed in a way that nobody foresaw; the others were stopped in order.
    """
    _own_folder(options.data_dir)
    embedded = open_embedded(options)
    async with (
        _running(embedded),
        _open_spool(options) as spool,
        _closing(Database(options, spool, embedded) if options.history else None) as database,
        _closing(PrometheusProxy(embedded.url) if embedded else None) as proxy,
    ):
        parts = Parts(spool, database, schema=options.schema)
        served = Served(
            intake=parts.intake,
            backfill=parts.backfill,
            statistics=parts.statistics,
            lines=parts.lines,
            gaps=spool,
            dead_letters=spool,
            status=parts.status,
            server_id=spool.server_id,
            token=token.load(options.data_dir),
            proxy=proxy,
        )
        await _serve(options, parts, served, stop, supervisor)
    _LOGGER.info("stopped")


class Parts:
    """What is behind the interfaces, and the one view of it all.

    Attributes:
        spool: Open.
        database: None when history is off.
        intake: Fills the spool with what happens.
        backfill: Fills it with what happened while nobody listened.
        statistics: Fills it with long-term statistics.
        lines: Fills it with what other clients send.
    """

    def __init__(self, spool: Spool, database: Database | None, *, schema: str) -> None:
        self.spool = spool
        self.database = database
        self._schema_name = schema
        labels, points = KnownLabels(spool), database.schema if database else HistoryOff
        self.intake = EventIntake(spool, points, labels)
        self.backfill = EventIntake(spool, points, labels, name="backfill")
        self.statistics = StatisticsIntake(spool, self._dialect)
        self.lines = LineIntake(spool, self._form)
        self._started_us = _now_us()

    def stop(self) -> None:
        """Take nothing any more."""
        for channel in (self.intake, self.backfill, self.statistics, self.lines):
            channel.stop()

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
            )
        )

    def _history(self) -> HistoryStatus:
        left_out = self.intake.left_out + self.backfill.left_out + self.lines.left_out
        return HistoryStatus("on" if self.database else "off", self._schema_name, left_out)

    def _form(self) -> Form | None:
        """Return which lines the database can hold, None without one; RetryLater while nobody knows what it is."""
        if self.database is None:
            return None
        self.database.schema()
        return "victoria" if self.spool.form == "victoria" else "influx"

    def _dialect(self) -> Dialect | None:
        """Return how it escapes names."""
        form = self._form()
        return form and (VICTORIA if form == "victoria" else INFLUX)


async def _serve(
    options: Options, parts: Parts, served: Served, stop: asyncio.Event, supervisor: Supervisor | None
) -> None:
    """Take events and write them, until ``stop`` is set."""
    database = parts.database
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(database.write(), name="writer") if database else None
        async with (
            _listening(ingress(served, peer=options.ingress_peer), options.ingress_host, options.ingress_port) as page,
            _listening(api(served, cors_origins=options.cors_origins), options.host, options.port) as open_api,
        ):
            _LOGGER.info("HomeIQ %s is ready: API on port %d, page on port %d", VERSION, open_api.port, page.port)
            telling = _tell(supervisor, tasks, served, port=open_api.port)
            await stop.wait()
            parts.stop()
            if telling:
                telling.cancel()
        if database and writing:
            await database.writer.drain(_WRITER_WITHIN_S)
            writing.cancel()


@asynccontextmanager
async def _listening(app: web.Application, host: str, port: int) -> AsyncIterator[Listener]:
    listener = Listener(app, host=host, port=port)
    try:
        await listener.start()
        yield listener
    finally:
        await listener.stop()


def _tell(
    supervisor: Supervisor | None, tasks: asyncio.TaskGroup, served: Served, *, port: int
) -> asyncio.Task[None] | None:
    """Tell Home Assistant of us, once we answer."""
    if supervisor is None:
        return None
    announcement = supervisor.announce(port=port, token=served.token, server_id=served.server_id)
    return tasks.create_task(announcement, name="discovery")


class _Closable(Protocol):
    async def close(self) -> None: ...


@asynccontextmanager
async def _closing[Part: _Closable](part: Part | None) -> AsyncIterator[Part | None]:
    try:
        yield part
    finally:
        if part is not None:
            await part.close()


@asynccontextmanager
async def _running(embedded: VictoriaMetrics | None) -> AsyncIterator[None]:
    """Keep the embedded database running; stopped last, so that what uses it is done with it."""
    if embedded is None:
        yield
        return
    async with asyncio.TaskGroup() as tasks:
        child = tasks.create_task(embedded.run(), name="embedded database")
        yield
        child.cancel()
        await asyncio.wait((child,), timeout=_CHILD_WITHIN_S)
        child.cancel()  # the second time by force; nothing happens to one that has ended


@asynccontextmanager
async def _open_spool(options: Options) -> AsyncIterator[Spool]:
    path = options.data_dir / "spool.db"
    limit_mb = options.spool_limit_mb
    limit_bytes = limit_mb * MEBIBYTE if limit_mb else _default_limit(path)
    spool = await Spool.open(path, limit_bytes=limit_bytes, when_full=options.when_full)
    try:
        yield spool
    finally:
        try:
            async with asyncio.timeout(_SPOOL_WITHIN_S):
                await spool.close()
        except TimeoutError:
            _LOGGER.error("the disk of %s does not answer; what was acknowledged is on it", path)  # noqa: TRY400


def _default_limit(path: Path) -> int:
    """Return the smaller of 1 GiB and a fifth of the disk that is free, or taken by the spool itself."""
    own = path.stat().st_size if path.exists() else 0
    part = int((shutil.disk_usage(path.parent).free + own) * _PART_OF_FREE_DISK)
    return max(_SMALLEST_SPOOL, min(_LARGEST_SPOOL, part))


def _own_folder(folder: Path) -> None:
    """Make the folder that everything is kept in; nobody else reads it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as err:
        raise Misconfigured(f"the folder {folder} cannot be made: {err.strerror}; choose another data_dir") from err


def _now_us() -> int:
    return time.time_ns() // 1_000
