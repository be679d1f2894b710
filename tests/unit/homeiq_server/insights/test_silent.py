from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.insights.engine import Engine
from homeiq_server.insights.silent import REPORTS, SHORTEST_S, Silence, evidence
from homeiq_server.insights.words import DAY_S, HOUR_S
from tests.unit.homeiq_server.insights.homes import (
    Life,
    device,
    entity,
    event,
    home,
    kinds,
    motion,
    report,
    temperature,
)

HOUR = 3_600


def learned(gap_s: float = HOUR_S, *, days: float = 10) -> Silence:
    silence = Silence(0.0, 0.0)
    for turn in range(1, round(days * DAY_S / gap_s) + 1):
        silence.speak(turn * gap_s)
    return silence


def test_a_device_is_silent_after_two_and_a_half_of_its_longest_gaps() -> None:
    silence = learned()
    assert evidence(silence, silence.heard_s + 2.45 * HOUR_S, event_driven=False) is None
    found = evidence(silence, silence.heard_s + 2.55 * HOUR_S, event_driven=False)
    assert found is not None
    assert found["longest_normal_hours"] == 1
    assert found["limit_hours"] == 2.5


def test_what_people_set_off_has_three_of_them() -> None:
    silence = learned()
    assert evidence(silence, silence.heard_s + 2.95 * HOUR_S, event_driven=True) is None
    assert evidence(silence, silence.heard_s + 3.05 * HOUR_S, event_driven=True) is not None


def test_ten_minutes_are_never_a_silence() -> None:
    silence = learned(30.0, days=2)
    assert evidence(silence, silence.heard_s + SHORTEST_S - 1, event_driven=False) is None
    assert evidence(silence, silence.heard_s + SHORTEST_S + 1, event_driven=False) is not None


def test_nothing_is_said_before_twenty_reports_and_two_days() -> None:
    few = Silence(0.0, 0.0)
    for turn in range(1, REPORTS - 1):
        few.speak(turn * 2 * HOUR_S)
    assert few.limit_s(event_driven=False) is None
    assert learned(60.0, days=1.9).limit_s(event_driven=False) is None
    assert learned(60.0, days=6).limit_s(event_driven=True) is None


def test_entities_that_speak_together_are_one_report() -> None:
    silence = Silence(0.0, 0.0)
    for part in range(50):
        silence.speak(part * 0.1)
    assert silence.reports < 3


def test_a_long_gap_is_forgotten_by_half_in_two_weeks() -> None:
    silence = Silence(0.0, 0.0)
    silence.speak(DAY_S)
    for turn in range(1, 14 * 24 + 1):
        silence.speak(DAY_S + turn * HOUR_S)
    assert abs(silence.normal_s(silence.heard_s) - DAY_S / 2) < 1


def test_a_fault_that_was_mended_does_not_become_normal() -> None:
    silence = learned()
    silence.speak(silence.heard_s + 10 * DAY_S)
    assert silence.normal_s(silence.heard_s) <= 3 * HOUR_S


@given(st.lists(st.floats(5.0, 3 * DAY_S), min_size=1, max_size=REPORTS - 2))
def test_what_is_learned_is_the_decayed_maximum_of_the_gaps(gaps: list[float]) -> None:
    silence, at_s, expected = Silence(0.0, 0.0), 0.0, 0.0
    for gap_s in gaps:
        heard_s, at_s = at_s, at_s + gap_s
        silence.speak(at_s)
        expected = max(at_s - heard_s, expected * 2 ** (-gap_s / (14 * DAY_S)))
        assert abs(silence.normal_s(at_s) - expected) <= 1e-6 * expected


@given(st.lists(st.floats(0.0, 3 * DAY_S), max_size=60))
def test_no_sequence_of_reports_makes_the_time_last_heard_go_back(times: list[float]) -> None:
    silence = Silence(0.0, 0.0)
    for at_s in times:
        before_s = silence.heard_s
        silence.speak(at_s)
        assert silence.heard_s >= before_s
        assert silence.longest_s >= 0


def test_a_silent_device_is_found_once_and_no_more_when_it_speaks_again() -> None:
    here = home(device("a"), device("b"), temperature("sensor.a", "a"), temperature("sensor.b", "b"))
    life = Life(Engine("home"), here, {"sensor.a": HOUR, "sensor.b": HOUR})
    assert kinds(life.go(days=3)) == []
    life.mute.add("sensor.a")
    assert kinds(life.go(hours=2)) == []
    assert kinds(life.go(hours=2)) == [("silent", "a")]
    life.mute.clear()
    assert kinds(life.go(hours=1)) == []


def test_the_newest_of_its_entities_speaks_for_a_device() -> None:
    here = home(device(), temperature("sensor.a"), temperature("sensor.b"))
    life = Life(Engine("home"), here, {"sensor.a": HOUR, "sensor.b": HOUR})
    life.go(days=3)
    life.mute.add("sensor.a")
    assert kinds(life.go(days=3)) == []


def test_a_part_speaks_for_the_whole() -> None:
    here = home(device("whole"), device("part", parent_id="whole"), temperature(device_id="part"))
    life = Life(Engine("home"), here, {"sensor.temperature": HOUR})
    life.go(days=3)
    life.mute.add("sensor.temperature")
    assert kinds(life.go(hours=5)) == [("silent", "whole")]


def test_a_constant_sensor_that_only_reports_is_not_silent() -> None:
    life = Life(Engine("home"), home(device(), temperature()), {"sensor.temperature": HOUR})
    life.go(days=3)
    life.mute.add("sensor.temperature")
    for _ in range(48):
        life.go(hours=1)
        life.engine.hear(report(life.now_us + 1, stream=life.stream, reported={"sensor.temperature": life.now_us}))
        assert kinds(life.engine.evaluate(life.now_us)) == []


def test_what_is_no_thing_in_use_is_never_silent() -> None:
    here = home(
        device("disabled", disabled_by="user"),
        device("service", entry_type="service"),
        temperature("sensor.a", "disabled"),
        temperature("sensor.b", "service"),
        temperature("sensor.helper", None),
    )
    life = Life(Engine("home"), here, {"sensor.a": HOUR, "sensor.b": HOUR, "sensor.helper": HOUR})
    life.go(days=3)
    life.mute.update(life.periods)
    assert kinds(life.go(days=1)) == []


def test_a_button_that_home_assistant_presses_is_no_sign_of_life() -> None:
    here = home(device(), temperature(), entity("button.identify"))
    life = Life(Engine("home"), here, {"sensor.temperature": HOUR, "button.identify": HOUR})
    life.go(days=3)
    life.mute.add("sensor.temperature")
    assert kinds(life.go(hours=4)) == [("silent", "device")]


def test_the_time_of_being_unavailable_is_neither_speech_nor_silence() -> None:
    life = Life(Engine("home"), home(device(), temperature()), {"sensor.temperature": HOUR})
    life.go(days=3)
    life.drop("sensor.temperature")
    assert kinds(life.go(days=3)) == [("offline", "device")]
    life.come_back("sensor.temperature")
    life.found.clear()
    life.go(hours=5)
    assert not life.found


def test_a_single_motion_sensor_is_silent_after_a_week_of_learning() -> None:
    life = Life(Engine("home"), home(device(), motion()), {"binary_sensor.motion": HOUR})
    life.go(days=8)
    life.mute.add("binary_sensor.motion")
    assert kinds(life.go(hours=2.5)) == []
    assert kinds(life.go(hours=1)) == [("silent", "device")]


def test_an_event_of_the_far_future_does_not_stop_the_clock_for_others() -> None:
    life = Life(Engine("home"), home(device(), temperature()), {"sensor.temperature": HOUR})
    life.go(days=3)
    life.engine.observe([event(at_us=life.now_us + 20 * 86_400_000_000)])
    life.go(days=1)
    life.mute.add("sensor.temperature")
    assert kinds(life.go(hours=5)) == [("silent", "device")]
