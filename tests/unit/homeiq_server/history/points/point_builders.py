"""Events to convert, and lines read back."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from homeiq_server.history.line_protocol import INFLUX, VICTORIA, Line
from homeiq_server.history.points import Conversion, PointSettings, build_schema
from homeiq_server.model import Event, Labels

TIME_US = 1_795_348_800_000_000
SOME_ATTRIBUTES: Mapping[str, Any] = {"unit_of_measurement": "W", "friendly_name": "Kettle"}


def event(  # noqa: PLR0913 - an event has this many parts, and a test names those that it is about
    entity_id: str = "sensor.kettle_power",
    state: str | None = "21.5",
    attributes: object = SOME_ATTRIBUTES,
    *,
    previous: str | None = None,
    previous_changed_us: int | None = None,
    time_us: int = TIME_US,
    context_id: str = "01JD8Z3YV8M8T9QG5H2K4N6P7R",
    parent_id: str | None = None,
) -> Event:
    raw = attributes if isinstance(attributes, bytes) else msgspec.json.encode(attributes)
    return Event(
        entity_id,
        state,
        msgspec.Raw(raw),
        previous,
        previous_changed_us,
        time_us,
        context_id,
        parent_id,
    )


def apart(events: Iterable[Event]) -> list[Event]:
    """Return the events a millisecond apart, so that none of them supersedes another."""
    return [msgspec.structs.replace(each, time_us=TIME_US + place * 1_000) for place, each in enumerate(events)]


def convert(
    *events: Event,
    settings: PointSettings = PointSettings(),  # noqa: B008 - frozen
    labels: Mapping[str, Labels] | None = None,
    text_as_tag: bool = False,
) -> Conversion:
    return build_schema(settings, text_as_tag=text_as_tag).convert(events, labels or {})


def lines(conversion: Conversion, *, text_as_tag: bool = False) -> list[Line]:
    """Return the lines as the database reads them."""
    texts = conversion.lines.body.decode().split("\n") if conversion.lines.body else []
    assert len(texts) == conversion.lines.count
    return [(VICTORIA if text_as_tag else INFLUX).parse(text) for text in texts]


def only_line(event: Event, settings: PointSettings = PointSettings(), labels: Labels | None = None) -> Line:  # noqa: B008 - frozen
    """Return the one line that InfluxDB gets of an event."""
    (line,) = lines(convert(event, settings=settings, labels={event.entity_id: labels} if labels else None))
    return line
