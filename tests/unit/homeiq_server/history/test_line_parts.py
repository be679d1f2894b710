import pytest
from hypothesis import given, settings

from homeiq_server.errors import Rejected
from homeiq_server.history.line_parts import read
from homeiq_server.history.line_protocol import INFLUX
from tests.unit.homeiq_server.history.line_builders import good_lines


def test_a_line_is_taken_apart_as_it_is_spelt() -> None:
    parts = read(rb'my\ home,room=living\ room,of=a\=b temp=21.5,on=t,n=5i,said="a \"b\", c=d" 17')

    assert parts.measurement == rb"my\ home"
    assert parts.tags == [(b"room", rb"living\ room"), (b"of", rb"a\=b")]
    assert parts.fields == [(b"temp", b"21.5"), (b"on", b"t"), (b"n", b"5i"), (b"said", rb'"a \"b\", c=d"')]
    assert parts.time == 17
    assert parts.head == rb"my\ home,room=living\ room,of=a\=b"
    assert parts.body == rb'temp=21.5,on=t,n=5i,said="a \"b\", c=d"'


@settings(derandomize=True, deadline=None, max_examples=200)
@given(good_lines())
def test_every_line_that_can_be_written_can_be_taken_apart(line: bytes) -> None:
    parts = read(line)

    written = INFLUX.parse(line.decode())
    assert [INFLUX.read_key(key.decode()) for key, _ in parts.tags] == list(written.tags)
    assert [INFLUX.read_key(key.decode()) for key, _ in parts.fields] == list(written.fields)
    assert parts.time == written.time


# The reasons are those that InfluxDB 1.8 and 2.7 give.
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b",a=b f=1", "missing measurement"),
        (b"m", "missing fields"),
        (b"m,a=b", "missing fields"),
        (b"m, f=1", "missing tag key"),
        (b"m,=b f=1", "missing tag key"),
        (b"m,a", "missing tag value"),
        (b"m,a f=1", "missing tag value"),
        (b"m,a= f=1", "missing tag value"),
        (b"m,a=b,c f=1", "missing tag value"),
        (b"m,a=b=c f=1", "invalid tag format"),
        (b"m ", "invalid field format"),
        (b"m 17", "invalid field format"),
        (b"m f", "invalid field format"),
        (b"m f=1,g", "invalid field format"),
        (b'm f="a"b', "invalid field format"),
        (b"m =1", "missing field key"),
        (b"m f=1,=1", "missing field key"),
        (b"m f=", "missing field value"),
        (b"m f=,g=1", "missing field value"),
        (b'm f="a', "unbalanced quotes"),
        (b"m f=nan", "invalid number"),
        (b"m f=NaN", "invalid number"),
        (b"m f=-", "invalid number"),
        (b"m f=1.2.3", "invalid number"),
        (b"m f=1_000", "invalid number"),
        (b"m f=1.5i", "invalid number"),
        (b"m f=-1u", "invalid number"),
        (b"m f=9223372036854775808i", "invalid number"),
        (b"m f=18446744073709551616u", "invalid number"),
        (b"m f=" + b"9" * 10_000 + b"i", "invalid number"),
        (b"m f=1e400", "invalid float"),
        (b"m f=inf", "invalid boolean"),
        (b"m f=yes", "invalid boolean"),
        (b"m f=tRUE", "invalid boolean"),
        (b"m f=1 1.5", "bad timestamp"),
        (b"m f=1 now", "bad timestamp"),
        (b"m f=1 17 18", "point is invalid"),
        (b"m f=1 " + b"9" * 10_000, "time outside range"),
    ],
)
def test_what_is_no_line_is_refused_with_the_reason(line: bytes, reason: str) -> None:
    with pytest.raises(Rejected, match=f"^{reason}$"):
        read(line)
