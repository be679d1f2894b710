"""The database that history goes to, embedded or the user's own: how it is reached, and which points it can hold."""

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, override

from homeiq_server.embedded.child import State
from homeiq_server.embedded.victoria_metrics import FUTURE, VictoriaMetrics
from homeiq_server.errors import RetryLater
from homeiq_server.history.answers import Refusal
from homeiq_server.history.influx import Influx, InfluxSettings
from homeiq_server.history.points import ComponentNaming, PointSettings, Schema, build_schema
from homeiq_server.history.spool import Spool
from homeiq_server.history.target import Identity, Kept
from homeiq_server.history.writer import Writer, WriterReport
from homeiq_server.options import Component, Options, Secret
from homeiq_server.status import utc_or_none
from homeiq_server.status.shape import DatabaseState, DatabaseStatus, LatencyStatus

_LOGGER = logging.getLogger(__name__)

_ASK_AGAIN_S: Final = 5


class Database:
    """Where history goes.

    Attributes:
        child: The embedded database, or None when the user has one.
        writer: Brings the lines there.
    """

    def __init__(self, options: Options, spool: Spool, child: VictoriaMetrics | None) -> None:
        """Connect to nothing yet.

        Raises:
            InvalidOptions: The certificates cannot be used.
        """
        self.child = child
        url = options.influx_url or (self.child.url if self.child else "")
        self._target = KnownInflux(_settings(options, url, child), memory=options.data_dir / "database.json")
        self.writer = Writer(spool, self._target, lines_per_second=options.drain_lines_per_second)
        self._points = point_settings(options)
        self._spool = spool
        self._schema: tuple[bool, Schema] | None = None

    async def write(self) -> None:
        """Bring lines to the database until cancelled."""
        if self.child:
            await self.child.ready()
        await self.writer.run()

    async def close(self) -> None:
        """Close the connections; nothing can be written any more."""
        await self._target.close()

    def schema(self) -> Schema:
        """Return what turns events into points that the database can hold.

        Lines are made once, when an event comes, and a database of numbers needs other ones. So for a database that
        was never reached events wait in Home Assistant; for one that was, its kind is remembered.

        Raises:
            RetryLater: Nobody knows yet what the database is.
        """
        numbers_only = True if self.child else self._target.known_numbers_only
        if numbers_only is None:
            raise RetryLater(
                f"the database at {self._target.url} was never reached, so it is not known what it can hold",
                after=_ASK_AGAIN_S,
            )
        if self._schema is None or self._schema[0] is not numbers_only:
            self._schema = numbers_only, build_schema(self._points, text_as_tag=numbers_only)
            self._spool.form = "victoria" if numbers_only else "influx"
        return self._schema[1]

    def status(self) -> DatabaseStatus:
        """Return how it is now; no I/O."""
        report = self.writer.report()
        identity = report.identity
        state, error = self._state(report)
        return DatabaseStatus(
            embedded=self.child is not None,
            url=self._target.url,
            state=state,
            error=error,
            product=identity.product if identity else None,
            version=identity.version if identity else None,
            retry_in_s=report.retry_in_s,
            last_write_at=utc_or_none(report.last_write_us),
            newest_point_at=utc_or_none(report.newest_written_us),
            settling=report.settling,
            catching_up=report.catching_up,
            sent_again=report.sent_again,
            coerced=report.coerced,
            diverted=report.diverted,
        )

    def latency(self) -> LatencyStatus:
        """Return how long writing takes."""
        report = self.writer.report()
        return LatencyStatus(
            write_p50_s=report.write_p50_s,
            write_p99_s=report.write_p99_s,
            accepted_to_written_p99_s=report.accepted_to_written_p99_s,
        )

    def _state(self, report: WriterReport) -> tuple[DatabaseState, str | None]:
        """Return the embedded database's own word before the writer's, which only knows that nobody answers."""
        if self.child is None or self.child.state is State.RUNNING:
            return report.state, report.error
        return ("unreachable" if self.child.error else "starting"), self.child.error


class KnownInflux(Influx):
    """A database whose kind is remembered, so that intake need not wait for it when it is away at a later start.

    Attributes:
        known_numbers_only: Whether it stores numbers only; None when this address was never reached.
    """

    def __init__(self, settings: InfluxSettings, *, memory: Path) -> None:
        super().__init__(settings)
        self._memory = memory
        self.known_numbers_only = _recall(memory, self.url)

    @override
    async def identify(self) -> Identity | Refusal:
        identity = await super().identify()
        numbers_only = self.form == "victoria"
        if isinstance(identity, Identity) and self.known_numbers_only is not numbers_only:
            self.known_numbers_only = numbers_only
            await asyncio.to_thread(_remember, self._memory, self.url, numbers_only=numbers_only)
        return identity


def _recall(memory: Path, url: str) -> bool | None:
    """Return what is remembered of the database at ``url``."""
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
        return bool(known["numbers_only"]) if known["url"] == url else None
    except FileNotFoundError:
        return None
    except OSError, ValueError, TypeError, KeyError:
        _LOGGER.warning("%s cannot be read: asking the database again what it is", memory)
        return None


def _remember(memory: Path, url: str, *, numbers_only: bool) -> None:
    beside = memory.with_suffix(".new")
    try:
        beside.write_text(json.dumps({"url": url, "numbers_only": numbers_only}), encoding="utf-8")
        beside.replace(memory)
    except OSError as err:
        _LOGGER.warning("%s cannot be written: %s", memory, err.strerror)


def open_embedded(options: Options) -> VictoriaMetrics | None:
    """Return the embedded database, not started yet; None when the user has one, or wants no history.

    Raises:
        InvalidOptions: There is no program to embed.
    """
    if options.influx_url or not options.history:
        return None
    return VictoriaMetrics(data_dir=options.data_dir, retention=options.retention, program=options.victoria_metrics)


def _settings(options: Options, url: str, child: VictoriaMetrics | None) -> InfluxSettings:
    return InfluxSettings(
        url=url,
        token=_revealed(options.influx_token),
        username=options.influx_username,
        password=_revealed(options.influx_password),
        org=options.influx_org or "",
        bucket=options.influx_bucket or "",
        verify_ssl=options.verify_ssl,
        ca_file=options.ssl_ca_cert,
        embedded=child is not None,
        kept=Kept(past=child.retention, future=FUTURE) if child else Kept(),
    )


def _revealed(secret: Secret | None) -> str | None:
    return None if secret is None else secret.reveal()


def point_settings(options: Options) -> PointSettings:
    """Return what the options say about the points."""
    naming = replace(
        options.core,
        component_config=_components(options.core_components, "entity"),
        component_config_domain=_components(options.core_components, "domain"),
        component_config_glob=_components(options.core_components, "glob"),
    )
    return PointSettings(
        schema=options.schema,
        naming=naming,
        extra_tags=frozenset(options.extra_tags),
        gap_markers=options.gap_markers,
    )


def _components(components: Sequence[Component], match: str) -> dict[str, ComponentNaming]:
    return {
        row.name: ComponentNaming(row.override_measurement, row.ignore_attributes)
        for row in components
        if row.match == match
    }
