"""Types of fields, what databases say of them, and which changes lose nothing."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeiq_server.history.writer.field_types import Conflict, Kind, coerced, conflict_in, kind_of

_IOX = "iox::column_type"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (b"1", "float"),
        (b"1.5", "float"),
        (b"-1e3", "float"),
        (b"1i", "integer"),
        (b"7u", "unsigned"),
        (b"t", "boolean"),
        (b"FALSE", "boolean"),
        (b'"1i"', "string"),
        (b'"true"', "string"),
    ],
)
def test_the_type_is_told_by_the_spelling(value: bytes, kind: Kind) -> None:
    assert kind_of(value) == kind


@pytest.mark.parametrize(
    ("value", "to", "expected"),
    [
        (b"5i", "float", b"5.0"),
        (b"5u", "float", b"5.0"),
        (b"9007199254740993i", "float", None),  # 2**53 + 1
        (b"21.0", "integer", b"21i"),
        (b"-0.0", "integer", b"0i"),
        (b"1e3", "integer", b"1000i"),
        (b"21.5", "integer", None),
        (b"1e300", "integer", None),
        (b"18446744073709551615u", "integer", None),
        (b"7i", "unsigned", b"7u"),
        (b"7", "unsigned", b"7u"),
        (b"-7i", "unsigned", None),
        (b"21.50", "string", b'"21.50"'),
        (b"5i", "string", b'"5"'),
        (b"T", "string", b'"true"'),
        (b"f", "string", b'"false"'),
        (b'"21.5"', "float", None),
        (b'"5"', "integer", None),
        (b"t", "float", None),
        (b"t", "integer", None),
        (b"1.0", "boolean", None),
        (b"1.0", None, None),
    ],
)
def test_a_value_is_spelt_as_another_type_only_where_nothing_is_lost(
    value: bytes, to: Kind | None, expected: bytes | None
) -> None:
    assert coerced(value, to) == expected


@settings(derandomize=True, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["integer", "unsigned"]))
def test_a_float_that_becomes_an_integer_is_the_same_number(value: float, to: Kind) -> None:
    other = coerced(repr(value).encode(), to)
    if other is None:
        assert not value.is_integer() or not -(2**63) <= value < 2**63 or to == "unsigned"
    else:
        assert float(int(other[:-1])) == value
        assert kind_of(other) == to


@settings(derandomize=True, deadline=None)
@given(st.integers(-(2**63), 2**63 - 1))
def test_an_integer_that_becomes_a_float_is_the_same_number(value: int) -> None:
    other = coerced(b"%di" % value, "float")
    assert other is None or (int(float(other)) == value and math.isfinite(float(other)))
    assert other is not None or int(float(value)) != value


@pytest.mark.parametrize(
    ("text", "conflict"),
    [
        (
            'field type conflict: input field "a b" on measurement "m/h" is type string, already exists as type bool',
            ("m/h", "a b", "string", "boolean"),
        ),
        (
            'field type conflict: input field "f" on measurement "m" is type float64, already exists as type int64',
            ("m", "f", "float", "integer"),
        ),
        (
            f"invalid column type for column 'f', expected {_IOX}::field::float, got {_IOX}::field::string",
            (None, "f", "string", "float"),
        ),
        (
            "invalid column type for column 't', expected iox::column_type::tag, got iox::column_type::field::uinteger",
            (None, "t", "unsigned", None),
        ),
        ("field type conflict", None),
        ('input field "f" on measurement "m" is type nonsense, already exists as type float', None),
        ("", None),
    ],
)
def test_a_conflict_is_read_from_what_each_database_says(
    text: str, conflict: tuple[str | None, str, Kind, Kind | None] | None
) -> None:
    found = conflict_in(text)
    assert (found and (found.measurement, found.field, found.got, found.exists)) == conflict
    assert found is None or isinstance(found, Conflict)
