import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from homeiq_server.errors import Rejected
from homeiq_server.history.line_protocol import INFLUX, VICTORIA, Dialect, number, single_line, string

DIALECTS = pytest.mark.parametrize("dialect", [INFLUX, VICTORIA], ids=["influx", "victoria"])
# Mostly the characters that the format is about, so that they meet.
TEXTS = st.text(st.sampled_from("ab,= \"'\\\n\r\t#é\u2028😀") | st.characters(codec="utf-8"), min_size=1)


def as_read(text: str, dialect: Dialect) -> str:
    """Return what a name reads as: what the format cannot say is folded as its documentation tells."""
    spelled = text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return f"{spelled[:-1]} " if dialect is INFLUX and spelled.endswith("\\") else spelled


@DIALECTS
@settings(derandomize=True, deadline=None, max_examples=500)
@given(
    measurement=TEXTS,
    tags=st.dictionaries(TEXTS, TEXTS, max_size=4),
    fields=st.dictionaries(TEXTS, st.floats(allow_nan=False, allow_infinity=False) | TEXTS, min_size=1, max_size=4),
    time=st.integers(-(2**63), 2**63 - 1),
)
@example(measurement="#", tags={"\\": "\\", "a\\,": "\\="}, fields={'"\\': '"\\'}, time=0)
def test_a_line_reads_back_as_it_was_written(
    dialect: Dialect,
    measurement: str,
    tags: dict[str, str],
    fields: dict[str, float | str],
    time: int,
) -> None:
    head = f"{dialect.measurement(measurement)}{dialect.tags(tags)}"
    text = f"{head} {dialect.fields(fields)[1:]} {time}"

    assert "\n" not in text
    assert "\r" not in text
    line = dialect.parse(text)
    assert line.measurement == ("\\" if measurement.startswith("#") else "") + as_read(measurement, dialect)
    assert line.tags == {as_read(key, dialect): as_read(value, dialect) for key, value in tags.items()}
    assert line.fields == {
        field_as_read(key, dialect): single_line(value) if isinstance(value, str) else value
        for key, value in fields.items()
    }
    assert line.time == time


def field_as_read(key: str, dialect: Dialect) -> str:
    """VictoriaMetrics has no escape for a quote in a key, only a way not to stumble over it."""
    return as_read(key, dialect) if dialect is INFLUX else as_read(key, dialect).replace('"', '\\"')


@settings(derandomize=True, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_as_the_same_float(value: float) -> None:
    assert math.copysign(1, float(number(value))) == math.copysign(1, value)
    assert float(number(value)) == value


def test_a_whole_number_is_still_a_float() -> None:
    assert number(1) == "1.0"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_field_that_is_not_finite_is_left_out(value: float) -> None:
    assert INFLUX.fields({"bad": value, "good": 1.0}) == ",good=1.0"


def test_tags_are_sorted_by_key_and_empty_ones_are_dropped() -> None:
    assert INFLUX.tags({"b": "2", "c": "", "": "x", "a": "1"}) == ",a=1,b=2"


def test_a_field_without_a_name_is_left_out() -> None:
    assert INFLUX.fields({"": 1.0, "a": "x"}) == ',a="x"'


def test_a_line_break_in_a_string_becomes_a_space() -> None:
    assert string("one\ntwo\r\nthree\u2028four\n") == '"one two three four"'


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("-1.5e-3", -0.0015),
        ("42i", 42),
        ("42u", 42),
        ("t", True),
        ("False", False),
        ('""', ""),
        (r'"a \"b\" \\ c,d=e f"', r'a "b" \ c,d=e f'),
    ],
)
def test_every_type_of_field_is_read(text: str, value: object) -> None:
    fields = INFLUX.parse(f"m f={text},g=1").fields

    assert fields == {"f": value, "g": 1.0}
    assert type(fields["f"]) is type(value)


def test_a_line_may_have_no_tags_and_no_time() -> None:
    line = INFLUX.parse("m f=1")

    assert (line.measurement, line.tags, line.time) == ("m", {}, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "m",
        "m f",
        "m f=",
        "m f=word",
        'm f="open',
        "m,t f=1",
        "m,t= f=1",
        "m,a=b\\,c=d f=1",  # the comma is escaped, so the second = has no business there
        "m f=1 soon",
        "m f=1 1 2",
        "# comment f=1",
        "m f=1\nm f=2",
    ],
)
def test_what_is_not_a_line_is_rejected(text: str) -> None:
    with pytest.raises(Rejected, match="not "):
        INFLUX.parse(text)


def test_influx_takes_a_backslash_as_it_is() -> None:
    assert INFLUX.tags({"path": r"C:\temp"}) == r",path=C:\temp"


def test_victoria_takes_a_pair_of_backslashes_for_one() -> None:
    assert VICTORIA.tags({"path": "C:\\"}) == ",path=C:\\\\"
