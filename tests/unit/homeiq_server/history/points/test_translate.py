from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeiq_server.history.line_parts import read
from homeiq_server.history.line_protocol import INFLUX, VICTORIA
from homeiq_server.history.points.translate import Memory, translate
from tests.unit.homeiq_server.history.line_builders import good_lines

CLIMATE = b"climate.hall,domain=climate,entity_id=hall"


def to_victoria(*lines: bytes, precision: str = "us", memory: Memory | None = None) -> list[bytes]:
    return translate(lines, to="victoria", precision=precision, memory=memory)


def to_influx(*lines: bytes) -> list[bytes]:
    return translate(lines, to="influx", precision="us")


def test_a_line_of_numbers_stays_as_it_is() -> None:
    line = b"cpu,host=a usage=1.5,n=5i,size=7u,up=t 17"
    assert to_victoria(line) == [line]
    assert to_influx(line) == [line]


def test_a_text_that_is_no_state_is_left_out_and_counted() -> None:
    memory = Memory()
    line = b'system,host=a load=1.5,uptime_format="2 days,  4:01",os="x" 17'

    assert to_victoria(line, memory=memory) == [b"system,host=a load=1.5 17"]
    assert memory.left_out == {"text fields": 2}


def test_of_a_line_of_other_texts_nothing_is_left() -> None:
    assert to_victoria(b'm said="a" 1', b"m f=1 2") == [b"", b"m f=1 2"]


def test_a_state_becomes_a_series_that_ends_when_the_next_begins() -> None:
    heat, cool = to_victoria(CLIMATE + b' state="heat",temp=21.0 1000000', CLIMATE + b' state="cool" 2000000')

    assert heat.split(b"\n") == [CLIMATE + b" temp=21.0 1000000", CLIMATE + b",state=heat state=1.0 1000000"]
    assert cool.split(b"\n") == [CLIMATE + b",state=heat state=0.0 2000000", CLIMATE + b",state=cool state=1.0 2000000"]


def test_a_state_is_known_from_one_request_to_the_next() -> None:
    memory = Memory()
    to_victoria(CLIMATE + b' state="heat" 1000000', memory=memory)

    assert to_victoria(CLIMATE + b' state="off" 2000000', memory=memory) == [
        CLIMATE + b",state=heat state=0.0 2000000\n" + CLIMATE + b",state=off state=1.0 2000000"
    ]


def test_a_state_that_stays_is_written_again_and_ends_nothing() -> None:
    lines = to_victoria(CLIMATE + b' state="heat" 1000000', CLIMATE + b' state="heat" 2000000')
    assert lines[1] == CLIMATE + b",state=heat state=1.0 2000000"


@pytest.mark.parametrize("fields", [b"value=5.0", b'state="on",value=1'])
def test_a_text_ends_when_the_state_is_a_number(fields: bytes) -> None:
    lines = to_victoria(CLIMATE + b' state="heat" 1000000', CLIMATE + b" " + fields + b" 2000000")
    assert CLIMATE + b",state=heat state=0.0 2000000" in lines[1].split(b"\n")


def test_a_text_goes_on_when_a_line_tells_nothing_of_the_state() -> None:
    lines = to_victoria(CLIMATE + b' state="heat" 1000000', CLIMATE + b" temp=5.0 2000000")
    assert lines[1] == CLIMATE + b" temp=5.0 2000000"


def test_a_word_is_its_number_where_that_stands_beside_it() -> None:
    assert to_victoria(b'light.a state="on",value=1 5') == [b"light.a value=1 5"]
    assert to_victoria(b'service state="on" 5') == [b"service,state=on state=1.0 5"]


def test_the_states_of_the_events_schema_have_a_name_of_their_own() -> None:
    line = b'home_assistant_events,entity_id=a state_value="heat",context_id="01K" 5'
    assert to_victoria(line) == [b"home_assistant_events,entity_id=a,state=heat state_value=1.0 5"]
    assert to_influx(*to_victoria(line)) == [b'home_assistant_events,entity_id=a state_value="heat" 5']


def test_a_tag_of_that_name_is_never_replaced() -> None:
    memory = Memory()
    assert to_victoria(b'census,state=CA state="full",n=3 5', memory=memory) == [b"census,state=CA n=3 5"]
    assert memory.left_out == {"text fields": 1}


def test_a_late_state_ends_when_the_one_after_it_had_begun() -> None:
    lines = to_victoria(CLIMATE + b' state="heat" 5000000', CLIMATE + b' state="off" 1000000')
    assert lines[1].split(b"\n") == [
        CLIMATE + b",state=off state=1.0 1000000",
        CLIMATE + b",state=off state=0.0 5000000",
    ]


def test_of_the_states_within_a_millisecond_only_the_last_is_written() -> None:
    lines = to_victoria(
        CLIMATE + b' state="off" 1000000000',
        CLIMATE + b' state="heat",temp=1 2000000001',
        CLIMATE + b' state="cool" 2000000002',
        precision="ns",
    )
    assert lines[1] == CLIMATE + b" temp=1 2000000001"
    assert lines[2].split(b"\n") == [
        CLIMATE + b",state=off state=0.0 2000000002",
        CLIMATE + b",state=cool state=1.0 2000000002",
    ]


def test_a_series_has_50_states_and_the_others_share_one() -> None:
    memory = Memory()
    lines = to_victoria(*(b'm state="text %d" %d000000' % (n, n) for n in range(60)), memory=memory)

    tags = {VICTORIA.parse(one.decode()).tags["state"] for line in lines for one in line.split(b"\n")}
    assert tags == {f"text {n}" for n in range(50)} | {"other"}
    assert memory.left_out == {"states folded": 10}


def test_the_memory_of_a_head_is_small_however_long_it_is() -> None:
    memory, head = Memory(), b"m,a=" + b"x" * 60_000
    to_victoria(head + b' state="a" 1', memory=memory)

    assert to_victoria(head + b' state="b" 2000', memory=memory)[0].count(b"\n") == 1
    assert all(len(key) < 300 for key in memory.texts._current._young)


def test_backslashes_are_those_of_the_other_family() -> None:
    line = rb'a\ b,path=C:\dir,k\=1=\,x f\ g=1,said="q" 5'

    [there] = to_victoria(line)
    assert VICTORIA.parse(there.decode()).tags == {"path": "C:\\dir", "k=1": ",x"}
    assert VICTORIA.parse(there.decode()).fields == {"f g": 1.0}
    assert to_influx(there) == [rb"a\ b,k\=1=\,x,path=C:\dir f\ g=1.0 5"]


def test_what_is_no_line_is_left_for_the_database_to_refuse() -> None:
    assert to_victoria(b'm f="') == [b'm f="']
    assert to_influx(b"m\\ f") == [b"m\\ f"]


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.lists(good_lines(timed=True), max_size=5))
def test_numbers_arrive_and_come_back(lines: list[bytes]) -> None:
    there = to_victoria(*lines)
    back = [b"\n".join(to_influx(*one.split(b"\n"))) for one in there]  # a text makes several lines of one

    for line, one, other in zip(lines, there, back, strict=True):
        meant = INFLUX.parse(line.decode())
        if "state" in meant.tags:
            continue  # that is how a text is told as a number: it may be taken for one
        numbers = {key: value for key, value in meant.fields.items() if not isinstance(value, str)}
        if not numbers:
            assert not one or b"state=" in one
            continue
        stored = VICTORIA.parse(one.split(b"\n")[0].decode())
        assert (stored.measurement, stored.tags, stored.time) == (meant.measurement, meant.tags, meant.time)
        assert list(stored.fields.values()) == list(numbers.values())
        assert not any(value.startswith(b'"') for _, value in read(one.split(b"\n")[0]).fields if b"\\" not in one)
        again = INFLUX.parse(other.split(b"\n")[0].decode())
        assert (again.measurement, again.tags, again.time) == (meant.measurement, meant.tags, meant.time)
        assert list(again.fields.values()) == list(numbers.values())


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(["heat", "cool", "off", "5"]), st.integers(0, 5), st.booleans()), max_size=8))
def test_the_last_state_that_was_told_is_the_one_that_is_1(steps: list[tuple[str, int, bool]]) -> None:
    """Replayed as VictoriaMetrics keeps it: one value a millisecond, the largest."""
    memory, time_us, last = Memory(), 0, None
    series: dict[str, dict[int, float]] = defaultdict(dict)
    requests: list[list[bytes]] = [[]]
    for state, later_us, same_request in steps:
        time_us += 400 * later_us if same_request else 400 * later_us + 1_000
        if not same_request:
            requests.append([])
        fields = "value=5" if state == "5" else f'state="{state}"'
        requests[-1].append(CLIMATE + f" {fields} {time_us}".encode())
        last = state
    for request in requests:
        for line in filter(None, to_victoria(*request, memory=memory)):
            for one in line.split(b"\n"):
                parsed = VICTORIA.parse(one.decode())
                if (tag := parsed.tags.get("state")) is not None and parsed.time is not None:
                    values, value = series[tag], parsed.fields["state"]
                    assert isinstance(value, float)
                    values[parsed.time // 1_000] = max(value, values.get(parsed.time // 1_000, 0.0))
    current = {state for state, values in series.items() if values[max(values)] == 1.0}
    assert current == ({last} if last not in (None, "5") else set())
