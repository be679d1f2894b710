"""Events outside the time that the database keeps."""

import json
from datetime import timedelta

from homeiq_server.history.points import PointSettings, build_schema
from homeiq_server.retention import KeptOnly
from homeiq_server.wire import decode
from tests.unit.homeiq_server.server_builders import batch, event

NOW_US = 1_790_000_000_000_000
DAY_US = 86_400_000_000
SCHEMA = KeptOnly(
    build_schema(PointSettings(), text_as_tag=True),
    past=timedelta(days=7),
    future=timedelta(days=2),
    now_us=lambda: NOW_US,
)


def _at(*days: float, entity_id: str = "sensor.power") -> list[list[object]]:
    return [event(time_us=NOW_US + int(day * DAY_US), entity_id=entity_id) for day in days]


def test_what_the_database_keeps_is_converted() -> None:
    conversion = SCHEMA.convert(decode(json.dumps(batch(_at(-7, 0, 2))).encode()).events, {})
    assert (conversion.converted, conversion.skipped) == (3, {})


def test_what_it_would_forget_is_skipped_and_counted_by_its_reason() -> None:
    events = decode(json.dumps(batch(_at(-8, 0, -400, 3))).encode()).events
    conversion = SCHEMA.convert(events, {})

    assert conversion.converted == conversion.lines.count == 1
    assert conversion.skipped == {"older than the database keeps": 2, "further ahead than the database keeps": 1}
    assert conversion.last_us == NOW_US


def test_a_rejected_event_keeps_its_place() -> None:
    sent = [*_at(-8, 0), *_at(0, entity_id="no_dot")]
    conversion = SCHEMA.convert(decode(json.dumps(batch(sent)).encode()).events, {})
    assert [index for index, _ in conversion.rejected] == [2]
    assert conversion.converted + sum(conversion.skipped.values()) + len(conversion.rejected) == len(sent)
