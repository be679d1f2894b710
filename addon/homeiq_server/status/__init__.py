"""The one answer to "how is it going": built here, and shown by the API, the metrics and the page alike.

Whatever is not ``ok`` comes with a reason, and each reason tells what to do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from homeiq_server import API_VERSION, VERSION
from homeiq_server.history.spool.totals import ChannelTotals, KnownGap, LineTotals, SalvageTotals, SourceTotals, Totals

from . import reasons
from .shape import (
    ChannelStatus,
    DatabaseStatus,
    GapsStatus,
    GapStatus,
    HistoryStatus,
    IngestStatus,
    InsightsStatus,
    LatencyStatus,
    LineStatus,
    RateStatus,
    SalvageStatus,
    SourceStatus,
    SpoolStatus,
    Status,
    StoreStatus,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the parts say at one instant.

    Attributes:
        now_us: That instant.
        started_us: When the server started.
        refusals: Why events are refused at the moment: code and cause.
        latency: Of the writer; the commits' is taken from ``totals``.
        store: Off unless told otherwise.
        insights: None when nothing watches the devices.
        ingest: None when devices cannot send.
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
    store: StoreStatus = field(default_factory=StoreStatus)
    insights: InsightsStatus | None = None
    ingest: IngestStatus | None = None


def build(seen: Seen) -> Status:
    """Return the status at that instant."""
    totals, spool = seen.totals, _spool(seen)
    faults = list(reasons.faults(seen.refusals, spool))
    warnings = [
        *reasons.warnings(
            seen.database, spool, now=utc(seen.now_us), silent_s=_silent_s(seen), imbalances=seen.totals.imbalances()
        ),
        *reasons.of_store(seen.store),
        *reasons.of_ingest(seen.ingest),
    ]
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
        store=seen.store,
        insights=seen.insights,
        ingest=seen.ingest,
    )


def utc(time_us: int) -> datetime:
    """Return the instant as an aware datetime."""
    return datetime.fromtimestamp(time_us / 1e6, UTC)


def utc_or_none(time_us: int | None) -> datetime | None:
    """Return the instant as an aware datetime, or None when there is none."""
    return None if time_us is None else utc(time_us)


def _silent_s(seen: Seen) -> int:
    """Return for how long every known source has been silent, since the start at most; 0 without a source."""
    if not seen.totals.sources:
        return 0
    newest_us = max(seen.started_us, *(source.last_seen_us for source in seen.totals.sources))
    return max(0, seen.now_us - newest_us) // 1_000_000


def _spool(seen: Seen) -> SpoolStatus:
    totals = seen.totals
    oldest_us = totals.oldest_accepted_us
    return SpoolStatus(
        bytes=totals.queued_bytes,
        limit_bytes=totals.limit_bytes,
        fill=totals.fill,
        filling=totals.is_filling,
        when_full=totals.when_full,
        dropping_since=utc_or_none(totals.dropping_since_us),
        oldest_age_s=None if oldest_us is None else max(0.0, (seen.now_us - oldest_us) / 1e6),
        dead_letter_bytes=totals.dead_bytes,
        shortage=totals.shortage,
        salvage=_salvage(totals.salvage) if totals.salvage else None,
    )


def _salvage(salvage: SalvageTotals) -> SalvageStatus:
    return SalvageStatus(
        at=_stamp(salvage.copy),
        copy=salvage.copy,
        running=salvage.is_running,
        left=salvage.left,
        found=salvage.found,
        lost=salvage.lost,
    )


def _stamp(copy: str) -> datetime | None:
    """Return when a file was set aside, which its name tells."""
    try:
        return datetime.strptime(copy.rpartition("-")[2], "%Y%m%dT%H%M%S.%f%z")
    except ValueError:
        return None


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
    return GapStatus(
        source=gap.source,
        start=utc(gap.start_us),
        end=utc(gap.end_us),
        events=gap.events,
        reason=gap.reason,
        open=gap.is_open,
        missed=gap.missed,
    )


def _source(source: SourceTotals) -> SourceStatus:
    return SourceStatus(source.source, utc_or_none(source.last_event_us), utc(source.last_seen_us))
