import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.ingest.zigbee2mqtt.messages import devices, online, reading

IEEE = "0x00158d0001dc126a"
LISTED = {
    "ieee_address": IEEE,
    "type": "EndDevice",
    "network_address": 6536,
    "supported": True,
    "friendly_name": "kitchen/window",
    "definition": {"model": "MCCGQ11LM", "vendor": "Aqara", "description": "Door sensor", "exposes": [{"type": "x"}]},
    "power_source": "Battery",
    "software_build_id": "3000-0001",
    "interview_completed": True,
    "interviewing": False,
    "interview_state": "SUCCESSFUL",
}


def test_a_device_of_the_list_is_read_with_all_that_is_asked_of_it() -> None:
    listed = devices(json.dumps([LISTED]).encode())
    assert listed is not None
    (device,), bad = listed
    assert bad == 0
    assert device.ieee_address == IEEE
    assert device.friendly_name == "kitchen/window"
    assert device.definition is not None
    assert (device.definition.vendor, device.definition.model) == ("Aqara", "MCCGQ11LM")
    assert (device.power_source, device.interview, device.software_build_id) == ("Battery", "SUCCESSFUL", "3000-0001")


@pytest.mark.parametrize(
    ("completed", "interviewing", "expected"),
    [(True, False, "SUCCESSFUL"), (False, True, "IN_PROGRESS"), (False, False, "FAILED"), (None, None, None)],
)
def test_the_interview_of_version_1_has_the_words_of_version_2(
    *, completed: bool | None, interviewing: bool | None, expected: str | None
) -> None:
    old = {
        **LISTED,
        "interview_state": None,
        "interview_completed": completed,
        "interviewing": interviewing,
    }
    listed = devices(json.dumps([old]).encode())
    assert listed is not None
    assert listed[0][0].interview == expected


def test_one_odd_device_does_not_cost_the_others() -> None:
    listed = devices(json.dumps([{"ieee_address": 7}, LISTED, "x"]).encode())
    assert listed is not None
    found, bad = listed
    assert ([device.ieee_address for device in found], bad) == ([IEEE], 2)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"state":"online"}', True),
        (b'{"state":"offline"}', False),
        (b"online", True),
        (b"offline", False),
        (b'{"state":"asleep"}', None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_an_availability_is_read_in_both_forms(payload: bytes, *, expected: bool | None) -> None:
    assert online(payload) is expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ("2026-11-22T12:00:00+00:00", 1_795_348_800_000_000),
        ("2026-11-22T13:00:00+01:00", 1_795_348_800_000_000),
        (1_795_348_800_000, 1_795_348_800_000_000),
        ("2026-11-22T12:00:00", None),  # whose time it is, nobody knows
        ("yesterday", None),
        (12, None),
    ],
)
def test_when_a_device_was_seen_is_read_in_every_form_that_can_be_set(seen: object, expected: int | None) -> None:
    found = reading(json.dumps({"last_seen": seen, "linkquality": 87, "battery": 64.5}).encode())
    assert found is not None
    assert (found.last_seen_us, found.link_quality, found.battery_level) == (expected, 87, 64.5)


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.text() | st.floats(), st.lists).map(json.dumps).map(str.encode)
)
def test_nothing_that_is_published_raises(payload: bytes) -> None:
    devices(payload)
    online(payload)
    reading(payload)
