"""What the status, its reasons and the metrics tell of devices that send."""

from datetime import UTC, datetime
from typing import Literal

import msgspec
import pytest

from homeiq_server.api.metrics import StatusCollector
from homeiq_server.history.spool.totals import Totals
from homeiq_server.status import Seen, build
from homeiq_server.status.reasons import of_ingest
from homeiq_server.status.shape import (
    DatabaseStatus,
    HistoryStatus,
    IngestStatus,
    LatencyStatus,
    MqttStatus,
    RateStatus,
    Status,
    StoreStatus,
)

NOW_US = 1_790_000_000_000_000
BROKER = "mqtt://192.168.1.10:1883"

type State = Literal["off", "connecting", "connected", "refused"]


def _status(ingest: IngestStatus | None) -> Status:
    return build(
        Seen(
            now_us=NOW_US,
            started_us=NOW_US,
            server_id="f" * 32,
            history=HistoryStatus("on", "core"),
            totals=Totals(limit_bytes=1 << 30),
            database=DatabaseStatus(url="http://influxdb:8086", state="ok"),
            rates=RateStatus(1.0, 2.0),
            latency=LatencyStatus(),
            refusals=(),
            store=StoreStatus(state="ok"),
            ingest=ingest,
        )
    )


def _samples(ingest: IngestStatus | None) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in StatusCollector(lambda: _status(ingest)).collect()
        for sample in metric.samples
        if "ingest" in sample.name or "mqtt" in sample.name or "deliveries" in sample.name
    }


@pytest.mark.parametrize(
    ("state", "remedy"), [("connecting", "mqtt_url"), ("refused", "mqtt_username and mqtt_password")]
)
def test_a_broker_that_is_not_heard_degrades_with_its_remedy(state: State, remedy: str) -> None:
    mqtt = MqttStatus(state=state, broker=BROKER, error="its own words")
    status = _status(IngestStatus(mqtt=mqtt))
    assert status.status == "degraded"
    (reason,) = status.reasons
    assert reason.code == f"mqtt_{state}"
    assert [part for part in (BROKER, "its own words", remedy) if part not in reason.message] == []


@pytest.mark.parametrize(
    "ingest",
    [
        None,
        IngestStatus(),
        IngestStatus(mqtt=MqttStatus(state="connecting", broker=BROKER)),  # only just starting
        IngestStatus(mqtt=MqttStatus(state="connected", broker=BROKER, connected_since=datetime.now(UTC))),
        IngestStatus(refused={"TOKEN_INVALID": 1_000}, deliveries_dead=5),
    ],
)
def test_what_is_no_fault_of_the_server_is_no_reason(ingest: IngestStatus | None) -> None:
    assert list(of_ingest(ingest)) == []
    assert _status(ingest).status == "ok"


def test_metrics_and_status_show_the_same_numbers() -> None:
    mqtt = MqttStatus(state="connected", broker=BROKER, received=11, held=3, forced_reconnects=2, retained=4)
    ingest = IngestStatus(
        mqtt=mqtt,
        accepted=7,
        refused={"TOKEN_INVALID": 3, "INVALID_JSON": 1},
        messages_per_minute=4.0,
        senders=5,
        deliveries_pending=0,
        deliveries_dead=1,
        faults=6,
    )
    assert _samples(ingest) == {
        ("homeiq_ingest_messages_total", "ACCEPTED"): 7,
        ("homeiq_ingest_messages_total", "TOKEN_INVALID"): 3,
        ("homeiq_ingest_messages_total", "INVALID_JSON"): 1,
        ("homeiq_mqtt_up",): 1,
        ("homeiq_mqtt_received_total",): 11,
        ("homeiq_mqtt_held",): 3,
        ("homeiq_mqtt_forced_reconnects_total",): 2,
        ("homeiq_mqtt_catching_up",): 0,
        ("homeiq_mqtt_passed_over_total", "retained"): 4,
        ("homeiq_mqtt_passed_over_total", "no device's"): 0,
        ("homeiq_mqtt_passed_over_total", "lost"): 0,
        ("homeiq_ingest_senders",): 5,
        ("homeiq_ingest_per_minute",): 4,
        ("homeiq_ingest_faults_total",): 6,
        ("homeiq_deliveries_pending",): 0,
        ("homeiq_deliveries_dead",): 1,
    }
    shown = msgspec.json.decode(msgspec.json.encode(_status(ingest)))["ingest"]
    assert (shown["accepted"], shown["refused"]) == (7, {"TOKEN_INVALID": 3, "INVALID_JSON": 1})
    assert shown["mqtt"]["received"] == 11


def test_what_is_not_known_yet_is_left_out_and_without_devices_there_is_nothing() -> None:
    assert _samples(None) == {}
    samples = _samples(IngestStatus())
    assert samples["homeiq_mqtt_up",] == 0
    assert not [name for name, *_ in samples if name.startswith("homeiq_deliveries")]
