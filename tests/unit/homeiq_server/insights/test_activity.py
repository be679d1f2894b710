from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.insights.activity import FACTOR, PAUSE_S, Activity, Lull
from homeiq_server.insights.engine import Engine
from homeiq_server.insights.words import HOUR_S, MINUTE_S, number
from tests.unit.homeiq_server.insights.homes import Life, device, home, kinds, motion

MINUTES = 60


def test_activity_stands_still_soon_after_the_last_thing_was_set_off() -> None:
    activity = Activity()
    activity.advance(1_000_000.0)
    before_s = activity.read(1_000_000.0)
    assert activity.read(1_000_000.0 + MINUTE_S) - before_s == MINUTE_S
    assert activity.read(1_000_000.0 + 9 * HOUR_S) - before_s == PAUSE_S


@given(st.lists(st.floats(0.0, 1e7)))
def test_activity_never_runs_backwards_and_never_faster_than_time(times: list[float]) -> None:
    activity = Activity()
    for at_s in times:
        ran_s, before_s = activity.ran_s, activity.at_s
        activity.advance(at_s)
        assert ran_s <= activity.ran_s <= ran_s + max(0.0, at_s - before_s)


@given(st.lists(st.tuples(st.sampled_from(["speak", "drop", "pause"]), st.floats(0.0, HOUR_S)), max_size=40))
def test_a_lull_never_ends_in_the_future(steps: list[tuple[str, float]]) -> None:
    lull, active_s = Lull(0.0), 0.0
    for kind, passed_s in steps:
        active_s += passed_s
        if kind == "speak":
            lull.speak(active_s, active_s, learned=False)
        elif kind == "pause":
            lull.pause(active_s, active_s)
        else:
            lull.away_s = active_s
            active_s += HOUR_S
            lull.come_back(active_s)
        assert lull.heard_s <= active_s
        assert lull.longest_s >= 0.0


def test_once_learned_a_lull_is_no_longer_than_what_was_silent() -> None:
    lull = Lull(0.0)
    lull.speak(HOUR_S, 0.0, learned=False)
    lull.speak(100 * HOUR_S, 0.0, learned=True)
    assert lull.longest_s == FACTOR * HOUR_S


def household() -> Life:
    """Return a home with one thing that is set off every hour among others that are every few minutes."""
    names = [f"m{n}" for n in range(5)]
    things = [device(name) for name in names] + [motion(f"binary_sensor.{name}", name) for name in names]
    periods = {f"binary_sensor.{name}": 5 * MINUTES for name in names[1:]} | {"binary_sensor.m0": 60 * MINUTES}
    life = Life(Engine("home"), home(*things), periods)
    life.go(days=8)
    assert not life.found
    return life


def test_a_thing_that_others_are_set_off_without_is_silent_and_told_by_their_activity() -> None:
    life = household()
    life.mute.add("binary_sensor.m0")
    assert kinds(life.go(hours=2)) == []
    assert kinds(life.go(hours=0.4)) == [("silent", "m0")]
    found = next(each for each in life.engine.evaluate(life.now_us).conditions if each.subject == "m0")
    assert number(found.evidence, "active_quiet_hours") > number(found.evidence, "active_limit_hours")
    assert "others were set off" in found.explanation
