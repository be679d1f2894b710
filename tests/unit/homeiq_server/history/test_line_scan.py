import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeiq_server.errors import Rejected
from homeiq_server.history import line_scan
from homeiq_server.history.line_parts import read
from homeiq_server.history.line_scan import Scan
from homeiq_server.history.precision import PRECISIONS, Precision
from tests.unit.homeiq_server.history.line_builders import broken_lines, good_lines

NOW_NS = 1_790_000_000_123_456_789
NS = PRECISIONS["ns"]


def scanned(body: bytes, precision: Precision = NS) -> Scan:
    scan = Scan(bytearray(body), precision, now_ns=NOW_NS)
    for _ in scan.steps():
        pass
    return scan


def lines_of(scan: Scan) -> list[bytes]:
    lines = [line for piece in scan.pieces for line in piece.lines().split(b"\n")]
    assert len(lines) == scan.good
    return lines


class Careful(Scan):
    """Reads every line with care."""

    def _run(self, run: re.Pattern[bytes], stop: int) -> bool:  # noqa: ARG002
        return False


def carefully(body: bytes) -> Careful:
    scan = Careful(bytearray(body), NS, now_ns=NOW_NS)
    for _ in scan.steps():
        pass
    return scan


def test_good_lines_stay_as_they_are() -> None:
    body = (
        b'cpu,host=a usage=1.5,n=5i,up=t,said="a, b" 1790000000000000000\n\xc2\xb0C,e=k value=-2e3 1790000000000000001'
    )

    scan = scanned(body)

    assert lines_of(scan) == body.split(b"\n")
    assert scan.pieces[-1].last_us == 1_790_000_000_000_000
    assert not scan.reasons


@pytest.mark.parametrize(
    ("name", "now"),
    [
        ("ns", 1_790_000_000_123_456_789),
        ("us", 1_790_000_000_123_456),
        ("ms", 1_790_000_000_123),
        ("s", 1_790_000_000),
        ("m", 1_790_000_000 // 60 * 60),
        ("h", 1_790_000_000 // 3_600 * 3_600),
    ],
)
@pytest.mark.parametrize("line", [b"m f=1", rb"a\\b f=1"], ids=["plain", "odd"])
def test_a_line_without_a_time_gets_the_time_of_receipt(name: str, now: int, line: bytes) -> None:
    assert lines_of(scanned(line + b"\n" + line, PRECISIONS[name])) == [line + b" %d" % now] * 2


@pytest.mark.parametrize(("name", "seconds"), [("m", 60), ("h", 3_600)])
def test_minutes_and_hours_become_seconds(name: str, seconds: int) -> None:
    scan = scanned(b"m f=1 7\nm f=2 -8", PRECISIONS[name])

    assert lines_of(scan) == [b"m f=1 %d" % (7 * seconds), b"m f=2 %d" % (-8 * seconds)]
    assert PRECISIONS[name].name == "s"


def test_what_is_no_line_is_passed_over() -> None:
    body = b'\n# a comment with f="one quote\n   \n\t\r\n\0\n  #too\nm f=1 1\r\n  m f=2 2\n\n'

    scan = scanned(body)

    assert lines_of(scan) == [b"m f=1 1", b"m f=2 2"]
    assert not scan.reasons


@pytest.mark.parametrize("body", [b"", b"\n", b"#\n", b"\r\n\r\n"])
def test_a_body_may_hold_no_line_at_all(body: bytes) -> None:
    scan = scanned(body)
    assert (scan.good, scan.pieces, scan.reasons) == (0, [], {})


def test_a_line_break_inside_of_a_text_becomes_a_space() -> None:
    assert lines_of(scanned(b'm f="a\nb\r\nc" 1\nm f=2 2')) == [b'm f="a b c" 1', b"m f=2 2"]


def test_a_bad_line_costs_only_itself() -> None:
    scan = scanned(b"m f=1 1\nm f=\nm f=2 2\nm\nm f=3 3")

    assert lines_of(scan) == [b"m f=1 1", b"m f=2 2", b"m f=3 3"]
    assert scan.reasons == {"missing field value": 1, "missing fields": 1}
    assert [(fault.line, fault.reason) for fault in scan.faults] == [
        (b"m f=", "missing field value"),
        (b"m", "missing fields"),
    ]


def test_of_many_bad_lines_the_first_are_kept_and_all_are_counted() -> None:
    scan = scanned(b"m\n" * 10_000 + b"m" * 5_000)

    assert scan.reasons == {"missing fields": 10_001}
    assert len(scan.faults) == 20


def test_of_a_long_bad_line_the_beginning_is_kept() -> None:
    assert [len(fault.line) for fault in scanned(b"m" * 5_000).faults] == [1_000]


def test_a_quote_without_an_end_takes_the_rest_with_it_of_which_little_is_looked_at() -> None:
    scan = scanned(b'm f=1 1\nm f="' + b"m f=2 2\n" * 200_000)

    assert scan.reasons == {"line too long": 1}
    assert lines_of(scan) == [b"m f=1 1"]


@pytest.mark.parametrize(
    ("name", "largest"),
    [("ns", 2**63 - 2), ("us", (2**63 - 2) // 10**3), ("ms", (2**63 - 2) // 10**6), ("s", (2**63 - 2) // 10**9)],
)
def test_a_time_beyond_64_bits_of_nanoseconds_is_refused(name: str, largest: int) -> None:
    scan = scanned(b"m f=1 %d\nm f=1 -%d\nm f=1 %d" % (largest, largest, largest + 1), PRECISIONS[name])

    assert scan.good == 2
    assert scan.reasons == {"time outside range": 1}


def test_a_body_of_many_steps_is_read_whole() -> None:
    body = b"".join(b'm,t=a f=%d,g="%d" %d\n' % (n, n, n) for n in range(50_000))

    scan = Scan(bytearray(body), NS, now_ns=NOW_NS)
    assert sum(1 for _ in scan.steps()) > 5
    assert b"\n".join(lines_of(scan)) + b"\n" == body


def test_lines_that_are_read_one_by_one_take_steps_too() -> None:
    scan = Scan(b"a\\\\b f=1 1\n" * 2_000, NS, now_ns=NOW_NS)
    assert sum(1 for _ in scan.steps()) >= 3
    assert scan.good == 2_000


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.lists(good_lines(), max_size=6), st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\n#x\n"]))
def test_every_good_line_is_taken_as_it_is_meant(lines: list[bytes], between: bytes) -> None:
    scan = scanned(between.join(lines))

    assert not scan.reasons
    for line, kept in zip(lines, lines_of(scan) if lines else [], strict=True):
        meant, taken = read(line), read(kept)
        assert (taken.head, taken.body) == (meant.head, meant.body)
        assert taken.time == (NOW_NS if meant.time is None else meant.time)


@settings(derandomize=True, deadline=None, max_examples=500)
@given(st.lists(broken_lines() | good_lines() | st.binary(max_size=8), max_size=5))
def test_the_quick_look_judges_as_the_careful_one(lines: list[bytes]) -> None:
    body = b"\n".join(lines)
    quick, careful = scanned(body), carefully(body)

    assert quick.reasons == careful.reasons
    assert quick.faults == careful.faults
    assert quick.good == careful.good
    if quick.good:
        for one, other in zip(lines_of(quick), lines_of(careful), strict=True):
            assert read(one) == read(other)


def test_the_quick_look_knows_what_clients_send(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_careful_look(_line: bytes) -> None:
        raise Rejected("looked at with care")

    monkeypatch.setattr(line_scan, "read", no_careful_look)
    body = r"""
disk,device=sda1,path=/mnt/my\ disk free=184i,used_percent=17.3,ok=true 1790000000000000000
system,host=a uptime_format="12 days,  4:01",load1=0.15 1790000000000000000
°C,domain=sensor,entity_id=k friendly_name_str="The \"small\" one",value=21.0 1790000000000000000
weather temperature=82
weather temperature=-1.5e-3,n=3u
""".strip()
    assert scanned(body.encode()).reasons == {}
