"""The one answer to "how is it going": built here, and shown by the API, the metrics and the page alike.

Whatever is not ``ok`` comes with a reason, and each reason tells what to do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from homeiq_server import API_VERSION, VERSION
from homeiq_server.history.totals import ChannelTotals, KnownGap, LineTotals, SourceTotals, Totals

type Level = Literal["ok", "degraded", "unhealthy"]
type DatabaseState = Literal["ok", "starting", "unreachable", "refusing", "misconfigured", "off"]

_MEBIBYTE: Final = 1024 * 1024
_FILLING: Final = 0.8  # of the spool's limit
_SILENT_AFTER_US: Final = 3_600 * 1_000_000


class Reason(msgspec.Struct, frozen=True):
    """Why the status is not ``ok``: a stable code for programs, a sentence for people."""

    code: str
    message: str


class ChannelStatus(msgspec.Struct, frozen=True):
    """One channel's side of the law of the intake, in items."""

    received: int
    converted: int
    skipped: int
    rejected: int
    duplicate: int
    skipped_by_reason: Mapping[str, int]
    rejected_by_reason: Mapping[str, int]


class LineStatus(msgspec.Struct, frozen=True):
    """The law of the lines."""

    spooled: int
    written: int
    queued: int
    dead: int
    dropped: int
    dropped_by_reason: Mapping[str, int]


class GapStatus(msgspec.Struct, frozen=True):
    """A stretch of time for which a source's events are missing; ``events`` is None when nobody counted."""

    source: str
    start: datetime
    end: datetime
    events: int | None
    reason: str


class GapsStatus(msgspec.Struct, frozen=True):
    """How many gaps are open, and the newest ones, open or closed."""

    open: int
    newest: list[GapStatus]


class SourceStatus(msgspec.Struct, frozen=True):
    """How far one Home Assistant has come."""

    source: str
    last_event_at: datetime | None
    last_seen_at: datetime


class HistoryStatus(msgspec.Struct, frozen=True):
    """Whether history is kept, and as which points; ``left_out`` counts what the database cannot hold of them."""

    state: Literal["on", "off"]
    schema: str
    left_out: Mapping[str, int] = {}


class RateStatus(msgspec.Struct, frozen=True):
    """Over the last minute."""

    events_per_minute: float
    lines_written_per_minute: float


class LatencyStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, of the latest ones; None when there were none yet."""

    write_p50_s: float | None = None
    write_p99_s: float | None = None
    accepted_to_written_p99_s: float | None = None
    commit_p50_s: float | None = None
    commit_p99_s: float | None = None


class SpoolStatus(msgspec.Struct, frozen=True):
    """The queue on disk; ``fill`` is the part of the limit that is taken."""

    bytes: int
    limit_bytes: int
    fill: float
    oldest_age_s: float | None


class DatabaseStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The database and how writing to it goes.

    Attributes:
        embedded: Whether it is our own.
        product: None until it was asked.
        version: None until it was asked.
        url: Without credentials.
        state: See ``DatabaseState``.
        error: Its own words, when all is not well.
        retry_in_s: Until the next attempt.
        last_write_at: When it last took lines.
        newest_point_at: The newest point's own time.
        settling: Lines that it took, but may not yet have on disk.
    """

    embedded: bool = False
    url: str = ""
    state: DatabaseState = "off"
    product: str | None = None
    version: str | None = None
    error: str | None = None
    retry_in_s: float | None = None
    last_write_at: datetime | None = None
    newest_point_at: datetime | None = None
    settling: int = 0


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, as ``GET /api/v1/status`` answers."""

    status: Level
    reasons: list[Reason]
    version: str
    api_version: int
    server_id: str
    started_at: datetime
    uptime_s: float
    history: HistoryStatus
    intake: dict[str, ChannelStatus]
    lines: LineStatus
    missed: int
    gaps: GapsStatus
    rates: RateStatus
    latency: LatencyStatus
    spool: SpoolStatus
    database: DatabaseStatus
    sources: list[SourceStatus]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the parts say at one instant.

    Attributes:
        now_us: That instant.
        started_us: When the server started.
        refusals: Why events are refused at the moment: code and cause.
        latency: Of the writer; the commits' is taken from ``totals``.
    """

    now_us: int
    started_us: int
    server_id: str
    history: HistoryStatus
    totals: Totals
    database: DatabaseStatus
    rates: RateStatus
    latency: LatencyStatus
    refusals: Sequence[tuple[str, str]] = ()


def build(seen: Seen) -> Status:
    """Return the status at that instant."""
    totals, spool = seen.totals, _spool(seen)
    faults = list(_faults(seen, spool))
    warnings = list(_warnings(seen, spool))
    return Status(
        status="unhealthy" if faults else "degraded" if warnings else "ok",
        reasons=faults + warnings,
        version=VERSION,
        api_version=API_VERSION,
        server_id=seen.server_id,
        started_at=utc(seen.started_us),
        uptime_s=(seen.now_us - seen.started_us) / 1e6,
        history=seen.history,
        intake={name: _channel(channel) for name, channel in totals.intake.items()},
        lines=_lines(totals.lines),
        missed=totals.missed,
        gaps=GapsStatus(totals.open_gaps, [_gap(gap) for gap in totals.newest_gaps]),
        rates=seen.rates,
        latency=msgspec.structs.replace(
            seen.latency,
            commit_p50_s=totals.commit_percentile_s(50),
            commit_p99_s=totals.commit_percentile_s(99),
        ),
        spool=spool,
        database=seen.database,
        sources=[_source(source) for source in totals.sources],
    )


def utc(time_us: int) -> datetime:
    """Return the instant as an aware datetime."""
    return datetime.fromtimestamp(time_us / 1e6, UTC)


def utc_or_none(time_us: int | None) -> datetime | None:
    """Return the instant as an aware datetime, or None when there is none."""
    return None if time_us is None else utc(time_us)


_REFUSALS: Final = {
    "stopping": "The server is stopping. Events wait in Home Assistant; nothing needs to be done.",
    "database_unknown": "Events wait in Home Assistant: {cause}. Check that it runs and that influx_url is right.",
    "spool_refuses": "Events wait in Home Assistant: {cause}. Look at the disk that data_dir is on; it may be full.",
}


def _faults(seen: Seen, spool: SpoolStatus) -> Iterator[Reason]:
    """Yield why no event is accepted."""
    is_full = spool.fill >= 1
    for code, cause in seen.refusals:
        if not (is_full and code == "spool_refuses"):
            yield Reason(code, _REFUSALS[code].format(cause=cause))
    if is_full:
        yield Reason(
            "spool_full",
            f"The queue on disk is full ({spool.limit_bytes // _MEBIBYTE} MiB), so events wait in Home Assistant, which"
            " cannot keep them for long: bring the database back, or raise spool_limit_mb.",
        )


_DATABASE_REASONS: Final = {
    "starting": "The database is starting. Events are kept on disk until it is ready; nothing needs to be done.",
    "unreachable": "The database at {url} does not answer ({error}). Events are kept on disk and written when it is"
    " back: check that it runs and that influx_url is right.",
    "refusing": "The database at {url} answers, but takes nothing at the moment ({error}). Events are kept on disk:"
    " look into its log, it may be short of disk or memory.",
    "misconfigured": "The database at {url} refuses us ({error}). Events are kept on disk: correct influx_token,"
    " influx_org or influx_bucket, then start the app again.",
}


def _warnings(seen: Seen, spool: SpoolStatus) -> Iterator[Reason]:
    """Yield what goes wrong while events are still accepted."""
    database = seen.database
    if sentence := _DATABASE_REASONS.get(database.state):
        error = database.error or "it gave no reason"
        yield Reason(f"database_{database.state}", sentence.format(url=database.url, error=error))
    if _FILLING <= spool.fill < 1:
        yield Reason(
            "spool_filling",
            f"The queue on disk is {spool.fill:.0%} full of {spool.limit_bytes // _MEBIBYTE} MiB; when it is full,"
            " events wait in Home Assistant: see to the database, or raise spool_limit_mb.",
        )
    if silent_s := _silent_s(seen):
        yield Reason(
            "no_events",
            f"No Home Assistant has sent anything for {silent_s // 60} minutes: check that it runs and that its HomeIQ"
            " integration is loaded.",
        )
    for imbalance in seen.totals.imbalances():
        yield Reason("counters_disagree", f"The counters do not add up, please report this: {imbalance}.")


def _silent_s(seen: Seen) -> int:
    """Return for how long every known source has been silent; 0 while that is not worth a word."""
    if not seen.totals.sources:
        return 0
    newest_us = max(seen.started_us, *(source.last_seen_us for source in seen.totals.sources))
    silent_us = seen.now_us - newest_us
    return silent_us // 1_000_000 if silent_us >= _SILENT_AFTER_US else 0


def _spool(seen: Seen) -> SpoolStatus:
    totals = seen.totals
    oldest_us = totals.oldest_accepted_us
    return SpoolStatus(
        bytes=totals.queued_bytes,
        limit_bytes=totals.limit_bytes,
        fill=totals.queued_bytes / totals.limit_bytes if totals.limit_bytes else 0.0,
        oldest_age_s=None if oldest_us is None else max(0.0, (seen.now_us - oldest_us) / 1e6),
    )


def _channel(totals: ChannelTotals) -> ChannelStatus:
    return ChannelStatus(
        received=totals.received,
        converted=totals.converted,
        skipped=sum(totals.skipped.values()),
        rejected=sum(totals.rejected.values()),
        duplicate=totals.duplicate,
        skipped_by_reason=totals.skipped,
        rejected_by_reason=totals.rejected,
    )


def _lines(totals: LineTotals) -> LineStatus:
    return LineStatus(
        spooled=totals.spooled,
        written=totals.written,
        queued=totals.queued,
        dead=totals.dead,
        dropped=sum(totals.dropped.values()),
        dropped_by_reason=totals.dropped,
    )


def _gap(gap: KnownGap) -> GapStatus:
    return GapStatus(gap.source, utc(gap.start_us), utc(gap.end_us), gap.events, gap.reason)


def _source(source: SourceTotals) -> SourceStatus:
    return SourceStatus(source.source, utc_or_none(source.last_event_us), utc(source.last_seen_us))
