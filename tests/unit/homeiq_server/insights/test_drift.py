"""Sensors that move away from their peers."""

import random
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.insights.drift import Drift, apart, condition, least_of, residuals
from homeiq_server.insights.subject import Subject
from tests.unit.homeiq_server.insights import homes

DAY_S = 86_400.0


class Room:
    """Sensors of one room, each with an offset of its own and days that resemble the one before."""

    def __init__(self, seed: int, sensors: int = 4) -> None:
        self._chance = random.Random(seed)  # noqa: S311  # no secret
        self.ids = [f"s{number}" for number in range(sensors)]
        self.drifts = {each: Drift() for each in self.ids}
        self.day = 0
        self._offsets = {each: self._chance.gauss(0, 0.7) for each in self.ids}
        self._moods = dict.fromkeys(self.ids, 0.0)

    def peers(self, id_: str) -> Sequence[str]:
        return [each for each in self.ids if each != id_]

    def live(self, days: int, drift_a_day: float = 0.0) -> set[str]:
        """Return who was said to drift; the first sensor does."""
        told: set[str] = set()
        for passed in range(days):
            self.day += 1
            means = {}
            for each in self.ids:
                self._moods[each] = 0.3 * self._moods[each] + self._chance.gauss(0, 0.15)
                means[each] = 20 + self._offsets[each] + self._moods[each]
            means["s0"] += drift_a_day * (passed + 1)
            for each, residual in residuals(means, self.peers).items():
                self.drifts[each].day(residual, self.day * DAY_S)
            told.update(apart(self.drifts, self.peers))
        return told


@pytest.mark.parametrize("sensors", [3, 4, 6])
def test_a_quarter_degree_a_day_is_found_and_nobody_else_is_accused(sensors: int) -> None:
    found = accused = 0
    for seed in range(40):
        room = Room(seed, sensors)
        accused += len(room.live(30))
        told = room.live(20, drift_a_day=0.25)
        found += "s0" in told
        accused += len(told - {"s0"})
    assert found >= 38
    assert accused <= 2


def test_nothing_is_said_before_a_baseline_is_known() -> None:
    assert Room(1).live(8, drift_a_day=1.0) == set()


def test_a_sensor_that_is_put_right_is_cleared() -> None:
    room = Room(2)
    room.live(30)
    assert "s0" in room.live(20, drift_a_day=0.25)
    room.live(12)
    assert apart(room.drifts, room.peers) == {}


def test_residuals_need_two_peers_with_a_mean() -> None:
    peers = {"a": ["b", "c", "a"], "b": ["a"], "c": ["a", "gone"]}
    assert residuals({"a": 25.0, "b": 20.0, "c": 22.0}, lambda each: peers[each]) == {"a": 4.0}


def test_only_what_can_be_compared_takes_part() -> None:
    assert least_of("temperature", "°F") == pytest.approx(1.8 * (least_of("temperature", "°C") or 0))
    assert least_of("power", "W") is None
    assert least_of("temperature", None) is None


def test_people_are_told_how_far_and_which_way() -> None:
    room = Room(3)
    room.live(30)
    room.live(20, drift_a_day=-0.25)
    evidence = apart(room.drifts, room.peers)["s0"]
    told = condition(Subject.of_entity(homes.temperature(name="Hall"), None), evidence, 50 * homes.DAY_US)
    assert "lower than it used to beside them" in told.explanation
    assert told.since_us == pytest.approx(31 * homes.DAY_US, abs=5 * homes.DAY_US)


@given(st.lists(st.floats(), max_size=80))
def test_no_residual_breaks_it_and_a_checkpoint_restores_it(found: list[float]) -> None:
    drift = Drift()
    for day, residual in enumerate(found):
        drift.day(residual, day * DAY_S)
    restored = msgspec.msgpack.decode(msgspec.msgpack.encode(drift), type=Drift)
    assert str(restored) == str(drift)
    assert 0 <= drift.sum.up <= 10
    assert 0 <= drift.sum.down <= 10
