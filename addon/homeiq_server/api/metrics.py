"""``GET /metrics``: the status as Prometheus reads it, built from the same one."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final, get_args, override

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from homeiq_server.status.shape import DatabaseState, Status, StoreState

REGISTRY: Final = web.AppKey("registry", CollectorRegistry)


async def get_metrics(request: web.Request) -> web.Response:
    """Answer 200 with all metrics as text."""
    return web.Response(body=generate_latest(request.app[REGISTRY]), headers={"Content-Type": CONTENT_TYPE_PLAIN_1_0_0})


def registry(status: Callable[[], Status]) -> CollectorRegistry:
    """Return a registry of its own, so that servers in one process do not meet."""
    own = CollectorRegistry(auto_describe=False)
    own.register(StatusCollector(status))
    ProcessCollector(registry=own)
    return own


class StatusCollector(Collector):
    """Turns a fresh status into metrics at every scrape; keeps nothing."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status

    @override
    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        status = self._status()
        yield from _health(status)
        yield from _intake(status)
        yield from _lines(status)
        yield from _database(status)
        yield from _store(status)
        yield from _ingest(status)
        yield from _gauges(status)


def _health(status: Status) -> Iterator[Metric]:
    build = GaugeMetricFamily("homeiq_build_info", "1, with the version as label.", labels=["version"])
    build.add_metric([status.version], 1)
    yield build
    level = GaugeMetricFamily("homeiq_status", "1 for the status that holds now.", labels=["status"])
    for name in ("ok", "degraded", "unhealthy"):
        level.add_metric([name], float(status.status == name))
    yield level
    reasons = GaugeMetricFamily("homeiq_reason", "1 for each reason why the status is not ok.", labels=["code"])
    for code in {reason.code for reason in status.reasons}:
        reasons.add_metric([code], 1)
    yield reasons


def _intake(status: Status) -> Iterator[Metric]:
    """Yield the law of the intake: received is the sum of the others."""
    received = CounterMetricFamily("homeiq_intake_received", "Items received.", labels=["channel"])
    fates = CounterMetricFamily("homeiq_intake", "Items by what became of them.", labels=["channel", "fate", "reason"])
    for name, channel in status.intake.items():
        received.add_metric([name], channel.received)
        fates.add_metric([name, "converted", ""], channel.converted)
        fates.add_metric([name, "duplicate", ""], channel.duplicate)
        for reason, count in channel.skipped_by_reason.items():
            fates.add_metric([name, "skipped", reason], count)
        for reason, count in channel.rejected_by_reason.items():
            fates.add_metric([name, "rejected", reason], count)
    yield received
    yield fates


def _lines(status: Status) -> Iterator[Metric]:
    """Yield the law of the lines: spooled is the sum of the others."""
    lines = status.lines
    yield CounterMetricFamily("homeiq_lines_spooled", "Lines stored in the queue on disk.", lines.spooled)
    yield CounterMetricFamily("homeiq_lines_written", "Lines that the database has for good.", lines.written)
    yield GaugeMetricFamily("homeiq_lines_queued", "Lines that wait now.", lines.queued)
    yield GaugeMetricFamily("homeiq_lines_dead", "Lines that the database will never take.", lines.dead)
    dropped = CounterMetricFamily("homeiq_lines_dropped", "Lines given up.", labels=["reason"])
    for reason, count in lines.dropped_by_reason.items():
        dropped.add_metric([reason], count)
    yield dropped
    yield CounterMetricFamily("homeiq_missed", "Events that never reached us and could not be supplied.", status.missed)


def _database(status: Status) -> Iterator[Metric]:
    database = status.database
    info = GaugeMetricFamily("homeiq_database_info", "1, with who answers.", labels=["product", "version"])
    info.add_metric([database.product or "", database.version or ""], 1)
    yield info
    state = GaugeMetricFamily("homeiq_database_state", "1 for the state that holds now.", labels=["state"])
    for name in get_args(DatabaseState.__value__):
        state.add_metric([name], float(database.state == name))
    yield state
    retyped = CounterMetricFamily(
        "homeiq_fields_retyped", "Fields sent otherwise than they came, because of their type.", labels=["how"]
    )
    retyped.add_metric(["coerced"], database.coerced)
    retyped.add_metric(["diverted"], database.diverted)
    yield retyped
    yield CounterMetricFamily("homeiq_lines_sent_again", "Lines that the database forgot.", database.sent_again)


def _store(status: Status) -> Iterator[Metric]:
    store, insights = status.store, status.insights
    info = GaugeMetricFamily("homeiq_store_info", "1, with the versions.", labels=["version", "schema_version"])
    info.add_metric([store.version or "", str(store.schema_version or "")], 1)
    yield info
    state = GaugeMetricFamily("homeiq_store_state", "1 for the state that holds now.", labels=["state"])
    for name in get_args(StoreState.__value__):
        state.add_metric([name], float(store.state == name))
    yield state
    yield GaugeMetricFamily("homeiq_store_up", "1 while devices and findings can be asked for.", store.state == "ok")
    if insights:
        yield GaugeMetricFamily("homeiq_insights_tracked", "Entities that are watched.", insights.tracked)
        yield CounterMetricFamily("homeiq_insights_evicted", "Entities forgotten for lack of room.", insights.evicted)
        yield CounterMetricFamily("homeiq_insights_faults", "Faults of our own in watching.", insights.faults)
        conditions = GaugeMetricFamily("homeiq_conditions", "What is wrong with devices now.", labels=["kind"])
        for kind, count in insights.conditions.items():
            conditions.add_metric([kind], count)
        yield conditions


def _ingest(status: Status) -> Iterator[Metric]:
    if (ingest := status.ingest) is None:
        return
    messages = CounterMetricFamily("homeiq_ingest_messages", "Messages of devices, by outcome.", labels=["outcome"])
    messages.add_metric(["ACCEPTED"], ingest.accepted)
    for reason, count in ingest.refused.items():
        messages.add_metric([reason], count)
    yield messages
    mqtt = ingest.mqtt
    yield GaugeMetricFamily("homeiq_mqtt_up", "1 while the broker is connected.", float(mqtt.state == "connected"))
    yield CounterMetricFamily("homeiq_mqtt_received", "Messages that came from the broker.", mqtt.received)
    yield GaugeMetricFamily("homeiq_mqtt_held", "Messages that are not acknowledged yet.", mqtt.held)
    yield CounterMetricFamily("homeiq_mqtt_forced_reconnects", "Ends of the connection by us.", mqtt.forced_reconnects)
    yield GaugeMetricFamily("homeiq_mqtt_catching_up", "1 while what waited at the broker comes.", mqtt.catching_up)
    passed_over = CounterMetricFamily("homeiq_mqtt_passed_over", "Messages that were not taken.", labels=["why"])
    for why, count in (("retained", mqtt.retained), ("no device's", mqtt.strays), ("lost", mqtt.lost)):
        passed_over.add_metric([why], count)
    yield passed_over
    yield GaugeMetricFamily("homeiq_ingest_senders", "Devices whose rate is watched.", ingest.senders)
    yield GaugeMetricFamily("homeiq_ingest_per_minute", "Messages of the last minute.", ingest.messages_per_minute)
    yield CounterMetricFamily("homeiq_ingest_faults", "Faults of our own in device ingest.", ingest.faults)
    if ingest.deliveries_pending is not None:
        yield GaugeMetricFamily("homeiq_deliveries_pending", "Deliveries that wait.", ingest.deliveries_pending)
    if ingest.deliveries_dead is not None:
        yield GaugeMetricFamily("homeiq_deliveries_dead", "Deliveries of a day that failed.", ingest.deliveries_dead)


def _gauges(status: Status) -> Iterator[Metric]:
    """Yield what goes up and down; what is not known yet is left out."""
    spool, latency, database, insights = status.spool, status.latency, status.database, status.insights
    values: dict[str, tuple[str, float | None]] = {
        "homeiq_uptime_seconds": ("Since the start.", status.uptime_s),
        "homeiq_gaps_open": ("Stretches of time with events missing.", status.gaps.open),
        "homeiq_events_per_minute": ("Received in the last minute.", status.rates.events_per_minute),
        "homeiq_lines_written_per_minute": ("Written in the last minute.", status.rates.lines_written_per_minute),
        "homeiq_spool_bytes": ("What the queue takes on disk.", spool.bytes),
        "homeiq_spool_limit_bytes": ("What it may take.", spool.limit_bytes),
        "homeiq_spool_fill_ratio": ("The part of it that is taken.", spool.fill),
        "homeiq_spool_filling": ("1 from 80 % of it on, until it falls below 70 %.", float(spool.filling)),
        "homeiq_spool_dropping": ("1 while the oldest lines are dropped.", float(spool.dropping_since is not None)),
        "homeiq_disk_full": ("1 while the disk has no room for lines.", float(spool.shortage is not None)),
        "homeiq_salvage_left_lines": (
            "Lines of a damaged file that were not found yet.",
            float(spool.salvage.left) if spool.salvage else None,
        ),
        "homeiq_dead_letter_bytes": ("What the dead letters take on disk.", spool.dead_letter_bytes),
        "homeiq_spool_oldest_age_seconds": ("Age of the oldest line that waits.", spool.oldest_age_s),
        "homeiq_write_p50_seconds": ("Half of the writes took at most this.", latency.write_p50_s),
        "homeiq_write_p99_seconds": ("99 % of the writes took at most this.", latency.write_p99_s),
        "homeiq_accepted_to_written_p99_seconds": ("From the event's commit on.", latency.accepted_to_written_p99_s),
        "homeiq_commit_p50_seconds": ("Half of the commits took at most this.", latency.commit_p50_s),
        "homeiq_commit_p99_seconds": ("99 % of the commits took at most this.", latency.commit_p99_s),
        "homeiq_database_retry_in_seconds": ("Until the next attempt.", database.retry_in_s),
        "homeiq_database_settling_lines": ("Sent, but not safe in the database yet.", database.settling),
        "homeiq_database_up": ("1 while the database takes lines.", float(database.state == "ok")),
        "homeiq_last_write_timestamp_seconds": (
            "When the database last took lines.",
            _seconds(database.last_write_at),
        ),
        "homeiq_insights_evaluated_timestamp_seconds": (
            "When findings and health were last drawn from what was watched.",
            _seconds(insights.evaluated_at) if insights else None,
        ),
        "homeiq_insights_checkpoint_timestamp_seconds": (
            "When what is remembered of devices was last kept.",
            _seconds(insights.checkpoint_at) if insights else None,
        ),
        "homeiq_newest_point_timestamp_seconds": (
            "The newest written point's own time.",
            _seconds(database.newest_point_at),
        ),
    }
    for name, (text, value) in values.items():
        if value is not None:
            yield GaugeMetricFamily(name, text, value)


def _seconds(instant: datetime | None) -> float | None:
    return None if instant is None else instant.timestamp()
