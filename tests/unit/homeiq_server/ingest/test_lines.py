"""Messages as lines."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.history.line_protocol import INFLUX, VICTORIA, Form
from homeiq_server.history.points.translate import Memory
from homeiq_server.ingest.lines import intake_of, line_of
from homeiq_server.ingest.message import Accepted
from homeiq_server.model import Intake
from tests.unit.homeiq_server.ingest_builders import NOW_US


def message(metrics: dict[str, Any] | None = None, **more: Any) -> Accepted:  # noqa: ANN401 - fields of a message
    fields: dict[str, Any] = {
        "tenant_id": "acme",
        "device_id": "d1",
        "site_id": "north",
        "msg_type": "telemetry",
        "time_us": NOW_US,
        "received_us": NOW_US,
        "metrics": {"t": 1} if metrics is None else metrics,
        "position": None,
        "size": 20,
    }
    return Accepted(**fields | more)


def intake(*messages: Accepted, form: Form | None = "influx", rejected: dict[str, int] | None = None) -> Intake:
    return intake_of("telemetry", messages, rejected or {}, form=form, memory=Memory())


def test_a_message_is_one_point_with_a_field_for_each_metric() -> None:
    line = line_of(message({"temperature": 21, "level": 0.5, "open": True, "mode": 'a "b"'}))
    assert line == (
        b"device_telemetry,device=d1,site=north,tenant=acme"
        b' temperature=21.0,level=0.5,open=true,mode="a \\"b\\"" 1790000000000000'
    )


def test_what_is_no_telemetry_has_its_type_as_a_tag() -> None:
    assert b",tenant=acme,type=heartbeat t=1.0 " in line_of(message(msg_type="heartbeat"))


def test_a_position_is_kept_beside_the_metrics_but_not_over_them() -> None:
    assert b" latitude=48.0,longitude=-11.5,t=1.0 " in line_of(message(position=(48.0, -11.5)))
    assert b" latitude=5.0,longitude=-11.5 " in line_of(message({"latitude": 5}, position=(48.0, -11.5)))
    assert intake(message({}, position=(1.0, 2.0))).tally.converted == 1


def test_the_name_that_influxdb_reserves_is_spelt_otherwise() -> None:
    assert b" time_=1.0 " in line_of(message({"time": 1}))


def test_what_has_nothing_to_store_is_skipped_with_its_reason() -> None:
    kept = intake(message({}), message(), message({}))
    assert (kept.tally.received, kept.tally.converted, kept.tally.skipped) == (3, 1, {"no metrics": 2})
    off = intake(message(), form=None)
    assert (off.lines.count, off.lines.body, off.tally.skipped) == (0, b"", {"history is off": 1})


def test_for_a_database_of_numbers_a_state_becomes_a_tag_and_other_texts_are_skipped() -> None:
    kept = intake(
        message({"state": "eco"}), message({"text": "x"}, device_id="d2"), message(device_id="d3"), form="victoria"
    )
    assert kept.tally.skipped == {"text only": 1}
    assert b'state="' not in kept.lines.body
    assert b"state=eco" in kept.lines.body
    assert kept.lines.count == len(kept.lines.body.split(b"\n"))


def test_the_law_of_the_intake_holds_for_a_commit() -> None:
    kept = intake(message(), message({}), rejected={"TOKEN_INVALID": 2, "MALFORMED": 1})
    tally = kept.tally
    assert tally.received == 5
    assert tally.received == tally.converted + sum(tally.skipped.values()) + sum(tally.rejected.values())
    assert kept.channel == "telemetry"
    assert kept.last_us == NOW_US


IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,20}", fullmatch=True)
KEYS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
VALUES = (
    st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30)
)
MESSAGES = st.builds(
    message,
    st.dictionaries(KEYS, VALUES, min_size=1, max_size=5),
    tenant_id=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,10}", fullmatch=True),
    device_id=IDS,
    site_id=IDS,
    msg_type=st.sampled_from(["telemetry", "heartbeat", "status-1"]),
    time_us=st.integers(946_684_800_000_000, NOW_US * 2),
)


@given(MESSAGES)
def test_a_line_reads_back_as_the_message(given_message: Accepted) -> None:
    line = line_of(given_message)
    assert b"\n" not in line
    read = INFLUX.parse(line.decode())
    tags = {"tenant": given_message.tenant_id, "device": given_message.device_id, "site": given_message.site_id}
    if given_message.msg_type != "telemetry":
        tags["type"] = given_message.msg_type
    assert (read.measurement, read.tags, read.time) == ("device_telemetry", tags, given_message.time_us)
    for name, value in given_message.metrics.items():
        if "\\" in name or name == "time":
            continue
        found = read.fields[name]
        assert type(found) is (float if type(value) is int else type(value))
        if not isinstance(value, str):
            assert found == value if isinstance(value, bool) else found == float(value)


@given(st.lists(MESSAGES, max_size=8), st.sampled_from(["influx", "victoria", None]))
def test_whatever_is_stored_the_law_holds_and_each_line_is_one(messages: list[Accepted], form: Form | None) -> None:
    kept = intake(*messages, form=form, rejected={"MALFORMED": 2})
    tally = kept.tally
    assert tally.received == tally.converted + sum(Counter(tally.skipped).values()) + sum(tally.rejected.values())
    lines = kept.lines.body.split(b"\n") if kept.lines.body else []
    assert kept.lines.count == len(lines)
    for line in lines:
        (VICTORIA if form == "victoria" else INFLUX).parse(line.decode())
