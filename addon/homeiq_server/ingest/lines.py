"""Messages of devices as points: one line for each that says something."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from homeiq_server.history.line_protocol import INFLUX, Form, string
from homeiq_server.history.points.translate import Memory, translate
from homeiq_server.model import Intake, Lines, Tally

from .message import Accepted, Value
from .topic import TELEMETRY

MEASUREMENT: Final = "device_telemetry"
PRECISION: Final = "us"
NO_METRICS: Final = "no metrics"
HISTORY_OFF: Final = "history is off"
TEXT_ONLY: Final = "text only"

_RESERVED: Final = "time"  # by InfluxDB


def line_of(message: Accepted) -> bytes:
    """Return the line of a message, empty when it has neither metrics nor a position.

    Tags are tenant, device, site, and type when it is no telemetry. Numbers are floats whatever they look like, so that
    5 and 5.5 are of one type. A position is the fields latitude and longitude, unless there are metrics of that name.
    """
    metrics: Mapping[str, Value] = message.metrics
    if message.position is not None:
        latitude, longitude = message.position
        metrics = {"latitude": latitude, "longitude": longitude} | dict(metrics)
    if not metrics:
        return b""
    fields = ",".join([_field(name, value) for name, value in metrics.items()])
    head = _head(message.tenant_id, message.device_id, message.site_id, message.msg_type)
    return f"{head} {fields} {message.time_us}".encode()


@lru_cache(maxsize=20_000)
def _head(tenant_id: str, device_id: str, site_id: str, msg_type: str) -> str:
    tags = {"tenant": tenant_id, "device": device_id, "site": site_id}
    if msg_type != TELEMETRY:
        tags["type"] = msg_type
    return INFLUX.measurement(MEASUREMENT) + INFLUX.tags(tags)


def _field(name: str, value: Value) -> str:
    if isinstance(value, str):
        return f"{_key(name)}={string(value)}"
    if value is True or value is False:
        return f"{_key(name)}={'true' if value else 'false'}"
    return f"{_key(name)}={float(value)!r}"


@lru_cache(maxsize=4_096)
def _key(name: str) -> str:
    return INFLUX.field_key(f"{name}_" if name == _RESERVED else name)


def intake_of(
    channel: str,
    accepted: Sequence[Accepted],
    rejected: Mapping[str, int],
    *,
    form: Form | None,
    memory: Memory,
) -> Intake:
    """Return what one commit stores.

    Args:
        channel: Under which it is counted.
        accepted: In the order in which they came.
        rejected: By reason: those that were refused.
        form: What the database can hold; None when no history is kept.
        memory: Of the texts that were told before.
    """
    lines, skipped = _storable(accepted, form, memory)
    body = b"\n".join(lines)
    return Intake(
        channel=channel,
        tally=Tally(
            received=len(accepted) + sum(rejected.values()),
            converted=len(accepted) - sum(skipped.values()),
            skipped=skipped,
            rejected=rejected,
        ),
        lines=Lines(body, body.count(b"\n") + 1 if body else 0, PRECISION),
        last_us=max((message.time_us for message in accepted), default=None),
    )


def _storable(accepted: Sequence[Accepted], form: Form | None, memory: Memory) -> tuple[list[bytes], dict[str, int]]:
    if form is None:
        return [], {HISTORY_OFF: len(accepted)} if accepted else {}
    lines = [line for message in accepted if (line := line_of(message))]
    skipped = {}
    if len(lines) < len(accepted):
        skipped[NO_METRICS] = len(accepted) - len(lines)
    if form == "influx" or memory.changes_nothing(b"\n".join(lines)):
        return lines, skipped
    stored = [line for line in translate(lines, to=form, precision=PRECISION, memory=memory) if line]
    if len(stored) < len(lines):
        skipped[TEXT_ONLY] = len(lines) - len(stored)
    return stored, skipped
