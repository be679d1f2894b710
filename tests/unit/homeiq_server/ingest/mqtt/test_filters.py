"""Which subscription a topic belongs to."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.ingest.mqtt.filters import DEVICES, covers, is_of_devices, of_devices

LEVELS = st.sampled_from(["", "a", "b", "$SYS", "tenant"])
TOPICS = st.lists(LEVELS, min_size=1, max_size=5).map("/".join)
FILTERS = st.tuples(
    st.lists(LEVELS | st.just("+"), min_size=1, max_size=5).map("/".join), st.sampled_from(["", "/#"])
).map("".join) | st.just("#")


def as_expression(topic_filter: str) -> str:
    """The standard's own words (MQTT 5, 4.7.1) as a regular expression."""
    if topic_filter == "#":
        return ".*"
    head, many = (topic_filter[:-2], "(/.*)?") if topic_filter.endswith("/#") else (topic_filter, "")
    return "/".join("[^/]*" if level == "+" else re.escape(level) for level in head.split("/")) + many


@given(FILTERS, TOPICS)
def test_a_filter_covers_what_the_standard_says(topic_filter: str, topic: str) -> None:
    hidden = topic.startswith("$") and topic_filter[0:1] in {"+", "#"}
    expected = not hidden and re.fullmatch(as_expression(topic_filter), topic) is not None
    assert covers(topic_filter, topic) == expected


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+", "/finance", False),
        ("/+", "/finance", True),
        ("#", "$SYS/broker", False),
        ("$SYS/#", "$SYS/broker", True),
    ],
)
def test_the_standard_s_own_examples(topic_filter: str, topic: str, expected: bool) -> None:  # noqa: FBT001
    assert covers(topic_filter, topic) == expected


def test_a_group_shares_the_filter_of_devices() -> None:
    assert of_devices(None) == DEVICES == "tenant/+/device/+/+"
    assert of_devices("servers") == "$share/servers/tenant/+/device/+/+"
    assert covers(DEVICES, "tenant/a/device/b/telemetry")
    assert is_of_devices("tenant/a/device/b/telemetry")
    assert not is_of_devices("zigbee2mqtt/bridge/devices")
