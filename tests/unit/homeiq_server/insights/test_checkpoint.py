import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from homeiq_server.insights.engine import Engine
from homeiq_server.registry import Entity
from tests.unit.homeiq_server.insights.homes import (
    DAY_US,
    HOUR_US,
    MINUTE_US,
    START_US,
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

HERE = home(
    *(device(f"d{n}") for n in range(4)),
    temperature("sensor.t0", "d0"),
    temperature("sensor.t1", "d1"),
    motion("binary_sensor.m2", "d2"),
    entity("sensor.battery", "d2", device_class="battery", unit="%", state_class="measurement"),
    entity("sensor.lqi", "d3", unit="lqi", state_class="measurement"),
    entity("sensor.power", "d3", device_class="power", unit="W", state_class="measurement"),
    entity("update.firmware", "d3"),
)
ENTITIES = [each.entity_id for each in HERE.entities.values()]

_states = st.sampled_from(["20", "20.5", "21", "90", "unavailable", "unknown", "on", None])
_steps = st.lists(
    st.tuples(
        st.sampled_from(["event", "event", "event", "report", "begin", "evaluate", "hours"]),
        st.integers(1, 6 * HOUR_US),
        st.sampled_from(ENTITIES),
        _states,
        _states,
    ),
    max_size=40,
)
type Step = tuple[str, int, str, str | None, str | None]


def live(engine: Engine, steps: list[Step], at_us: int, *, times: int = 1) -> int:
    """Let an engine live through the steps, and return the time at their end."""
    for turn in range(times):
        for number, (kind, passed_us, entity_id, state, previous) in enumerate(steps):
            at_us += passed_us if number % 7 == 0 else min(passed_us, 10 * MINUTE_US)
            if kind == "event":
                engine.observe([event(entity_id, at_us, state, previous)])
            elif kind == "report":
                engine.hear(report(at_us, stream=f"run{turn}", reported={entity_id: at_us - 1}))
            elif kind == "begin":
                engine.begin(f"run{turn}{number}", at_us)
            elif kind == "evaluate":
                engine.evaluate(at_us)
            else:
                engine.take_hours()
    return at_us


@settings(deadline=None)
@given(_steps, _steps, st.integers(1, 30))
def test_an_engine_that_was_restored_goes_on_as_if_nothing_had_happened(
    before: list[Step], after: list[Step], times: int
) -> None:
    engine, restored = Engine("home"), Engine("home")
    engine.place(HERE)
    at_us = live(engine, before, START_US, times=times)
    restored.restore(list(engine.take_state()))
    restored.place(HERE)
    end_us = live(engine, after, at_us)
    assert live(restored, after, at_us) == end_us
    assert _evaluated(restored, end_us) == _evaluated(engine, end_us)
    assert restored.facts("d0") == engine.facts("d0")
    assert restored.tracked == engine.tracked


@settings(deadline=None)
@given(_steps, _steps)
def test_changes_on_top_of_a_checkpoint_are_a_whole_checkpoint(before: list[Step], after: list[Step]) -> None:
    engine, restored = Engine("home"), Engine("home")
    engine.place(HERE)
    at_us = live(engine, before, START_US, times=3)
    saved = dict(engine.take_state())
    at_us = live(engine, after, at_us)
    saved.update(engine.take_state())
    restored.place(HERE)
    restored.restore(saved.items())
    assert _evaluated(restored, at_us) == _evaluated(engine, at_us)


def _evaluated(engine: Engine, at_us: int) -> object:
    evaluation = engine.evaluate(at_us)
    return evaluation.settled, {
        (each.kind, each.subject): each.evidence for each in evaluation.conditions if each.severity > 1
    }


def test_only_what_changed_is_yielded() -> None:
    engine = Engine("home")
    engine.place(HERE)
    engine.observe([event(each) for each in ENTITIES])
    assert {key for key, _ in engine.take_state()} >= {f"entity:#{each}" for each in ENTITIES} | {"", "device:d0"}
    engine.observe([event("sensor.t0", START_US + MINUTE_US)])
    assert {key for key, _ in engine.take_state()} == {"", "entity:#sensor.t0", "device:d0"}
    assert {key for key, _ in engine.take_state()} == {""}


def test_what_cannot_be_read_is_skipped_and_counted() -> None:
    engine = Engine("home")
    engine.place(HERE)
    states = [
        ("", b"rubbish"),
        ("", msgspec.msgpack.encode([99])),
        ("entity:#sensor.t0", b"\xc1"),
        ("entity:#sensor.t1", msgspec.msgpack.encode([99, []])),
        ("device:d0", msgspec.msgpack.encode([1, ["no silence"]])),
        ("another:x", b""),
    ]
    engine.restore(states)
    assert engine.skipped == len(states)
    engine.observe([event("sensor.t0")])
    assert engine.tracked == 1


def test_what_is_gone_from_the_registries_is_not_restored() -> None:
    engine, restored = Engine("home"), Engine("home")
    engine.place(HERE)
    engine.observe([event("sensor.t0"), event("sensor.t1")])
    restored.restore(engine.take_state())
    restored.place(home(device("d0"), temperature("sensor.t0", "d0")))
    assert restored.tracked == 1


def test_three_days_off_raise_nothing() -> None:
    here = home(*(device(f"d{n}") for n in range(5)), *(_sensor(n) for n in range(5)))
    periods = {each.entity_id: 1_800 for each in here.entities.values()}
    life = Life(Engine("home"), here, periods)
    life.go(days=9, each_s=600)
    restored = Engine("home")
    restored.restore(life.engine.take_state())
    life.engine = restored
    restored.place(here)
    life.now_us += 3 * DAY_US
    life.found.clear()
    assert kinds(restored.evaluate(life.now_us)) == []
    life.mute.update(periods)
    life.go(hours=0.4)
    life.mute.clear()
    life.go(days=1)
    assert not life.found


def _sensor(n: int) -> Entity:
    return motion(f"binary_sensor.m{n}", f"d{n}") if n % 2 else temperature(f"sensor.t{n}", f"d{n}")


def test_a_home_that_comes_later_finds_what_was_restored() -> None:
    engine, restored = Engine("home"), Engine("home")
    engine.place(HERE)
    engine.observe([event("sensor.t0")])
    restored.restore(engine.take_state())
    assert restored.tracked == 1
    restored.place(HERE)
    assert restored.facts("d0") == engine.facts("d0")


def test_an_empty_home_before_the_registries_are_known_forgets_nothing() -> None:
    engine, restored = Engine("home"), Engine("home")
    engine.place(HERE)
    engine.observe([event("sensor.t0")])
    restored.restore(engine.take_state())
    restored.place(home())
    restored.place(HERE)
    assert restored.facts("d0") == engine.facts("d0")
