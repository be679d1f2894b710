"""Connections that are weak or become weaker."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.insights.link import Link, condition, unit_of
from homeiq_server.insights.subject import Subject
from tests.unit.homeiq_server.insights import homes

HOUR_S, DAY_S = 3_600.0, 86_400.0
RSSI = homes.entity("sensor.wifi", device_class="signal_strength", unit="dBm")


class Radio:
    """A device that tells its signal every half hour, a few dBm around a level."""

    def __init__(self) -> None:
        link = Link.of(RSSI)
        assert link is not None
        self.link, self.now_s = link, 0.0
        self._chance = random.Random(1)  # noqa: S311  # no secret

    def hear(self, level: float, days: float) -> bool:
        """Return whether something was said within that time."""
        told, until_s = False, self.now_s + days * DAY_S
        while self.now_s < until_s:
            self.now_s += HOUR_S / 2
            self.link.take(self.now_s, level + self._chance.gauss(0, 3))
            told = told or self.link.check(self.now_s) is not None
        return told


def test_a_steady_link_is_fine() -> None:
    assert not Radio().hear(-65, 60)


def test_a_level_below_the_floor_is_weak_and_clears_when_it_is_back() -> None:
    radio = Radio()
    assert radio.hear(-92, 4)
    radio.hear(-65, 3)
    assert radio.link.check(radio.now_s) is None


def test_a_fall_to_what_is_no_longer_comfortable_is_told() -> None:
    radio = Radio()
    radio.hear(-60, 14)
    assert radio.hear(-80, 2)


def test_a_fall_that_leaves_enough_is_not() -> None:
    radio = Radio()
    radio.hear(-35, 14)
    assert not radio.hear(-60, 4)


def test_nothing_is_said_in_the_first_days() -> None:
    assert not Radio().hear(-95, 2.9)


@pytest.mark.parametrize(
    ("entity", "unit"),
    [
        (RSSI, "dBm"),
        (homes.entity("sensor.plug_linkquality", unit="lqi"), "lqi"),
        (homes.entity("sensor.plug_lqi", translation_key="lqi"), "lqi"),
        (homes.entity("sensor.plug_wifi_signal", unit="%"), "%"),
        (homes.entity("sensor.noise", device_class="signal_strength", unit="dB"), None),
        (homes.entity("sensor.humidity", device_class="humidity", unit="%"), None),
        (homes.temperature(), None),
    ],
)
def test_links_are_known_by_their_units(entity: object, unit: str | None) -> None:
    assert unit_of(msgspec.convert(entity, type(RSSI))) == unit


def test_people_are_told_what_it_was_and_what_it_is() -> None:
    radio = Radio()
    radio.hear(-60, 14)
    radio.hear(-80, 1.5)
    evidence = radio.link.check(radio.now_s)
    assert evidence is not None
    told = condition(Subject.of_device(homes.device(name="Garage door")), evidence, 1)
    assert "Garage door has a weaker connection than it used to: -" in told.explanation
    assert told.severity == 2


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats()), max_size=80))
def test_no_value_breaks_it_and_a_checkpoint_restores_it(values: list[tuple[float, float]]) -> None:
    link, now_s = Link(), 0.0
    for passed_s, value in values:
        now_s += passed_s
        link.take(now_s, value)
    restored = msgspec.msgpack.decode(msgspec.msgpack.encode(link), type=Link)
    assert str(restored) == str(link)
    assert str(restored.check(now_s)) == str(link.check(now_s))
    assert 0 <= link.weak <= 1
