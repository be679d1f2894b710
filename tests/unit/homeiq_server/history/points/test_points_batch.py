import re
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeiq_server.errors import TooLarge
from homeiq_server.history.line_protocol import INFLUX
from homeiq_server.history.points import Conversion, PointSettings, build_schema
from homeiq_server.history.points.cache import Cache
from homeiq_server.history.points.form import MAX_ATTRIBUTES_BYTES, OVERSIZE
from homeiq_server.history.points.settings import SCHEMAS, SchemaName
from homeiq_server.history.spool.changes.oversize import MAX_LINE_BYTES
from homeiq_server.model import Event, Labels
from tests.unit.homeiq_server.history.points.point_builders import TIME_US, apart, convert, event, lines

BAD = {
    "attributes that are a list": event(attributes=[1]),
    "attributes that are null": event(attributes=None),
    "attributes that are not JSON": event(attributes=b"{nonsense"),
    "attributes that are empty": event(attributes=b""),
    "attributes that are not UTF-8": event(attributes=b'{"a": "\xff"}'),
    "attributes with a number too large": event(attributes=b'{"a": 1e999}'),
    "attributes that are nested too deep": event(attributes=b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "an entity id without a dot": event("kettle"),
    "an entity id without a domain": event(".kettle"),
    "an entity id without a name": event("sensor."),
    "an entity id that is too long": event(f"sensor.{'x' * 249}"),
    "a state that is too long": event(state="x" * 256),
    "a previous state that is too long": event(previous="x" * 256),
    "a time before 1970": event(time_us=-1),
    "a time beyond nanoseconds": event(time_us=2**63 // 1000 + 1),
    "a removal without a proper entity id": event("kettle", state=None),
}
GOOD = event("sensor.good", "1")
FORMS = pytest.mark.parametrize(
    ("schema", "text_as_tag"),
    [(schema, text_as_tag) for schema in SCHEMAS for text_as_tag in (False, True)],
)


@FORMS
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_bad_event_costs_only_itself(schema: SchemaName, bad: Event, *, text_as_tag: bool) -> None:
    later = msgspec.structs.replace(GOOD, time_us=GOOD.time_us + 1_000)
    conversion = convert(GOOD, bad, later, settings=PointSettings(schema=schema), text_as_tag=text_as_tag)

    assert conversion.converted == conversion.lines.count == 2
    ((index, reason),) = conversion.rejected
    assert index == 1
    assert reason


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (BAD["attributes that are a list"], "attributes are not a JSON object"),
        (BAD["an entity id without a dot"], "entity_id is not of the form domain.object_id"),
        (BAD["a state that is too long"], "state is longer than 255 characters"),
        (BAD["a time before 1970"], "time_us is outside of what a database can keep"),
    ],
)
def test_a_rejection_names_the_field(bad: Event, reason: str) -> None:
    assert convert(bad).rejected == [(0, reason)]


def test_a_state_of_255_characters_is_kept() -> None:
    (line,) = lines(convert(event(state="ü" * 255)))

    assert line.fields["state"] == "ü" * 255


def test_a_text_that_is_not_unicode_costs_nobody() -> None:
    assert convert(event(state="\ud800"), GOOD).converted == 2


def test_an_empty_batch_is_empty() -> None:
    conversion = convert()

    assert (conversion.lines.body, conversion.lines.count, conversion.last_us) == (b"", 0, None)


def test_the_newest_time_is_that_of_all_events_that_were_understood() -> None:
    conversion = convert(
        event(time_us=TIME_US),
        event(state="unknown", time_us=TIME_US + 2),
        event(time_us=TIME_US + 1),
        event("bad", time_us=TIME_US + 3),
    )

    assert conversion.last_us == TIME_US + 2


def test_the_order_of_a_batch_is_kept() -> None:
    conversion = convert(*(event(time_us=TIME_US + n) for n in (3, 1, 2)))

    assert [line.time for line in lines(conversion)] == [TIME_US + 3, TIME_US + 1, TIME_US + 2]


TEXTS = st.sampled_from(
    ["", "unknown", "unavailable", "on", "off", "heat", "cool", "21.5", "nan", "inf", "ü\n", 'a"b\\', "x" * 256]
)
ATTRIBUTES = st.sampled_from(
    [
        b"{}",
        b"[]",
        b'{"unit_of_measurement": "W", "a": 1}',
        b'{"unit_of_measurement": "W", "a": 2, "value": 3, "b": null}',
        b'{"a": "' + b"x" * 9000 + b'"}',
    ]
)
LABELS = st.dictionaries(
    st.sampled_from(["climate.attic", "sensor.a"]),
    st.builds(Labels, area=st.sampled_from([None, "Attic", "Cellar"]), model=st.sampled_from([None, "K-9"])),
)
EVENTS = st.builds(
    event,
    st.sampled_from(["climate.attic", "sensor.a", "light.b", "bad"]),
    st.none() | TEXTS,
    ATTRIBUTES,
    previous=st.none() | TEXTS,
    previous_changed_us=st.none() | st.integers(TIME_US - 10, TIME_US + 10),
    time_us=st.integers(TIME_US - 10, TIME_US + 10),
)
SETTINGS = st.builds(
    PointSettings,
    schema=st.sampled_from(SCHEMAS),
    extra_tags=st.sampled_from([frozenset[str](), frozenset({"area"})]),
    gap_markers=st.booleans(),
)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(batch=st.lists(EVENTS, max_size=20), labels=LABELS, options=SETTINGS, text_as_tag=st.booleans())
def test_every_event_is_converted_skipped_or_rejected(
    batch: list[Event],
    labels: Mapping[str, Labels],
    options: PointSettings,
    *,
    text_as_tag: bool,
) -> None:
    conversion = convert(*batch, settings=options, labels=labels, text_as_tag=text_as_tag)

    outcomes = conversion.converted + sum(conversion.skipped.values()) + len(conversion.rejected)
    assert outcomes == len(batch)
    assert len(lines(conversion, text_as_tag=text_as_tag)) >= conversion.converted


def begun(conversion: Conversion) -> list[bytes]:
    """Return the lines but those that end a text state: which ones end depends on what came before."""
    ends = re.compile(rb",state=.* state(_value)?=0\.0 \d+$")
    return [line for line in conversion.lines.body.split(b"\n") if line and not ends.search(line)]


@settings(derandomize=True, deadline=None, max_examples=300)
@given(batch=st.lists(EVENTS, max_size=20), labels=LABELS, options=SETTINGS, text_as_tag=st.booleans())
def test_a_conversion_from_the_caches_is_the_same_as_one_without(
    batch: list[Event],
    labels: Mapping[str, Labels],
    options: PointSettings,
    *,
    text_as_tag: bool,
) -> None:
    batch = apart(batch)
    used = build_schema(options, text_as_tag=text_as_tag)
    used.convert(batch, {})
    used.convert(batch, labels)

    one_by_one = [convert(item, settings=options, labels=labels, text_as_tag=text_as_tag) for item in batch]

    assert begun(used.convert(batch, labels)) == [line for conversion in one_by_one for line in begun(conversion)]


def test_an_event_does_not_keep_its_request_in_memory() -> None:
    schema = build_schema(PointSettings(), text_as_tag=False)
    request = bytearray(b'[["sensor.a","1",{"a":1},null,null,5,"c",null]]')
    events = msgspec.json.decode(memoryview(request), type=list[Event])
    first = schema.convert(events, {}).lines.body
    del events
    request[:] = b"x" * len(request)

    again = schema.convert([event("sensor.a", "1", b'{"a":1}', time_us=5)], {})

    assert again.lines.body == first


def test_a_cache_is_bounded_and_keeps_what_was_used_lately() -> None:
    cache: Cache[int, str] = Cache(entries=10)
    cache.put(-1, "used")
    for key in range(1000):
        cache.put(key, str(key))
        assert cache.get(-1) == "used"
        assert cache.get(key) == str(key)
        assert len(cache) <= 20

    assert cache.get(0) is None


def test_a_cache_does_not_keep_what_is_too_large() -> None:
    cache: Cache[str, str] = Cache(entries=10, entry_size=5)
    cache.put("small", "x", size=5)
    cache.put("large", "x", size=6)

    assert (cache.get("small"), cache.get("large")) == ("x", None)


def test_a_cache_is_bounded_by_the_size_of_all_its_entries() -> None:
    cache: Cache[int, int] = Cache(entries=1_000, entry_size=10, size=100)
    for key in range(500):
        cache.put(key, key, size=10)
        assert cache.get(key) == key
        assert len(cache) <= 20


@pytest.mark.parametrize("text_as_tag", [False, True])
@pytest.mark.parametrize("state", ["1", "heat", None])
def test_an_event_that_no_line_can_hold_is_kept_whole_in_a_line_of_its_own(
    state: str | None, *, text_as_tag: bool
) -> None:
    attributes = b'{"a" :\n"\\"' + b"x" * MAX_ATTRIBUTES_BYTES + b'"}'
    schema = build_schema(PointSettings(), text_as_tag=text_as_tag)
    found = schema.convert([event("sensor.a", state, attributes), event("sensor.b", "1", b"{}")], {})

    assert (found.converted, found.rejected) == (2, [])
    long, short = found.lines.body.split(b"\n")
    assert len(long) > MAX_LINE_BYTES > len(short)
    line = INFLUX.parse(long.decode())
    assert (line.measurement, line.tags["entity_id"]) == (OVERSIZE, "a")
    assert line.fields.get("state") == state
    assert msgspec.json.decode(str(line.fields["attributes"])) == msgspec.json.decode(attributes)


def test_a_batch_whose_points_would_take_too_much_memory_is_to_be_parted() -> None:
    labels = {"sensor.a": Labels(area="x" * 4_000)}
    schema = build_schema(PointSettings(extra_tags=frozenset({"area"})), text_as_tag=False)
    with pytest.raises(TooLarge, match="several batches"):
        schema.convert([event("sensor.a", "1", b"{}", time_us=n) for n in range(5_000)], labels)


def test_an_entry_that_is_renewed_counts_once_in_a_cache() -> None:
    cache: Cache[str, int] = Cache(entries=10, entry_size=10, size=30)
    cache.put("first", 0, size=10)
    for value in range(100):
        cache.put("other", value, size=10)

    assert (cache.get("first"), cache.get("other")) == (0, 99)
