"""What ``GET /api/v1/status`` answers, key by key."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

type Level = Literal["ok", "degraded", "unhealthy"]
type StoreState = Literal["off", "starting", "ok", "unreachable", "misconfigured"]
type DatabaseState = Literal["ok", "starting", "unreachable", "refusing", "misconfigured", "off"]


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


class GapStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of time for which a source's events are missing.

    Attributes:
        source: The Home Assistant, or the channel for what no Home Assistant sends.
        start: The last instant known to be whole.
        end: The first instant known to be whole again.
        events: How many are missing; None when nobody counted.
        reason: See ``KnownGap``.
        open: Whether it may still be filled.
        missed: Of a closed one, how many nobody could supply; None when nobody counted.
    """

    source: str
    start: datetime
    end: datetime
    events: int | None
    reason: str
    open: bool
    missed: int | None


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


class SalvageStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A damaged file of the queue that was set aside; for as long as its copy is kept.

    Attributes:
        at: When.
        copy: Where it lies.
        running: There is more of it to read.
        left: Lines that lay in it and have not been found yet; they count as queued.
        found: Lines that are in the new file.
        lost: Lines that were not found; they count as dropped, for ``damage``.
    """

    at: datetime | None
    copy: str
    running: bool
    left: int
    found: int
    lost: int


class SpoolStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The queue on disk.

    Attributes:
        bytes: What it takes.
        limit_bytes: Where it is full.
        fill: The part of the limit that is taken; over 1 by one commit at most.
        filling: It came over 80 %, and has not fallen below 70 % since.
        when_full: What becomes of new lines, or of the oldest.
        dropping_since: When the oldest began to be dropped; None while they are not.
        oldest_age_s: Of the oldest line that waits.
        dead_letter_bytes: What the dead letters take beside it.
        shortage: Why the disk has no room for lines; None while it has.
        salvage: None while there is no damaged file.
    """

    bytes: int
    limit_bytes: int
    fill: float
    filling: bool
    when_full: Literal["refuse", "drop_oldest"]
    dropping_since: datetime | None
    oldest_age_s: float | None
    dead_letter_bytes: int
    shortage: str | None = None
    salvage: SalvageStatus | None = None


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
        catching_up: Whether lines from before its latest return may still wait.
        sent_again: Lines that it took, and that were sent once more because it restarted too soon, since the start.
        coerced: Fields that were sent as the type that the database has, since the start.
        diverted: Fields that were sent under another key, because it has the key with another type.
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
    catching_up: bool = False
    sent_again: int = 0
    coerced: int = 0
    diverted: int = 0


class StoreStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The database of devices and findings.

    Attributes:
        state: See ``StoreState``.
        embedded: Whether it is our own.
        version: PostgreSQL's, such as "18.6"; None until it was reached.
        schema_version: Of our tables; None until it was reached.
        error: Why all is not well.
    """

    state: StoreState = "off"
    embedded: bool = False
    version: str | None = None
    schema_version: int | None = None
    error: str | None = None


class InsightsStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What watches the devices.

    Attributes:
        tracked: Entities that are watched.
        evicted: Entities that had to be forgotten since the start, because there are too many.
        evaluated_at: When findings and health were last drawn from them.
        checkpoint_at: When what is remembered of them was last kept.
        sources: How many Home Assistants they are of.
        conditions: By kind of finding, how many held when that was last drawn; muted ones too.
        faults: How many times a fault of our own kept a part from being done, since the start; the log tells more.
    """

    tracked: int
    evicted: int
    evaluated_at: datetime | None
    checkpoint_at: datetime | None
    sources: int
    conditions: Mapping[str, int] = {}
    faults: int = 0


class MqttStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The connection to the broker.

    Attributes:
        state: ``off`` without a broker; ``refused`` when a person has to mend something.
        broker: Its address, without credentials.
        protocol: Of MQTT, ``5`` or ``3.1.1``; None until connected.
        error: Why it is not connected, or its own words.
        connected_since: None while it is not.
        received: Messages that came, since the start.
        held: Messages that are not acknowledged yet.
        forced_reconnects: How many times a message could not be stored in time and was asked for again.
        publishing: Messages of ours that the broker has not acknowledged yet.
        retained: Messages of devices that were ignored because the broker had only retained them, since the start.
        strays: Messages that no subscription of ours asks for any more, and were dropped, since the start.
        lost: Messages of QoS 0 that came, but could not be kept before their connection ended, since the start.
        catching_up: What comes had waited at the broker while we were away: no rates are counted.
    """

    state: Literal["off", "connecting", "connected", "refused"] = "off"
    broker: str = ""
    protocol: str | None = None
    error: str | None = None
    connected_since: datetime | None = None
    received: int = 0
    held: int = 0
    forced_reconnects: int = 0
    publishing: int = 0
    retained: int = 0
    strays: int = 0
    lost: int = 0
    catching_up: bool = False


class IngestStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Devices that send by MQTT and HTTP, since the start unless said otherwise.

    Attributes:
        mqtt: The connection to the broker.
        accepted: Messages that were taken.
        refused: By reason: those that were not.
        messages_per_minute: Over the last minute.
        last_message_at: None before the first.
        senders: Devices whose rate is being watched.
        following: Devices whose newest values wait for the store.
        deliveries_pending: Of alerts, at the last look; None before it.
        deliveries_dead: Of the last day, at the last look; None before it.
        faults: How many times a fault of our own kept a part from being done; the log tells more.
    """

    mqtt: MqttStatus = MqttStatus()
    accepted: int = 0
    refused: Mapping[str, int] = {}
    messages_per_minute: float = 0.0
    last_message_at: datetime | None = None
    senders: int = 0
    following: int = 0
    deliveries_pending: int | None = None
    deliveries_dead: int | None = None
    faults: int = 0


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
    store: StoreStatus
    insights: InsightsStatus | None
    ingest: IngestStatus | None = None
