import gc
import tracemalloc

import pytest

from homeiq_server.insights.engine import Engine
from homeiq_server.insights.finding import Report
from homeiq_server.insights.home import Home
from homeiq_server.registry import Device, Entity, Removed, Rows
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

HOUR = 3_600


def sensor(n: int) -> list[Device | Entity]:
    """Return a device with the five entities that a sensor of a home mostly has."""
    name = f"d{n}"
    return [
        device(name),
        temperature(f"sensor.{name}_temperature", name)
        if n % 3
        else entity(f"sensor.{name}_power", name, device_class="power", unit="W", state_class="measurement"),
        motion(f"binary_sensor.{name}_motion", name),
        entity(f"sensor.{name}_battery", name, device_class="battery", unit="%", entity_category="diagnostic"),
        entity(f"sensor.{name}_linkquality", name, unit="lqi", entity_category="diagnostic"),
        entity(f"update.{name}", name, entity_category="config"),
    ]


def engine_of(*things: Device | Entity, limit: int = 50_000) -> Engine:
    engine = Engine("home", limit=limit)
    engine.place(home(*things))
    return engine


def test_entities_of_no_registry_are_not_remembered() -> None:
    engine = engine_of(device(), temperature())
    engine.observe([event("sensor.unknown"), event()])
    assert engine.tracked == 1


def test_an_entity_without_an_entry_in_the_registry_is_remembered_by_its_entity_id() -> None:
    engine = engine_of(temperature("sensor.yaml", None, id="sensor.yaml", registered=False))
    engine.observe([event("sensor.yaml")])
    assert [each.id for each in engine.take_hours()] == ["sensor.yaml"]


def test_a_renamed_entity_keeps_what_is_remembered_of_it() -> None:
    here = home(device(), temperature())
    life = Life(Engine("home"), here, {"sensor.temperature": HOUR})
    life.go(days=3)
    renamed = temperature("sensor.new", id="#sensor.temperature")
    life.engine.place(here.changed(Rows(entities=(renamed,)), Removed()))
    assert life.engine.tracked == 1
    assert kinds(life.go(hours=4)) == [("silent", "device")]
    life.engine.observe([event("sensor.new", life.now_us)])
    assert kinds(life.go(hours=1)) == []


def test_an_entity_with_another_unit_begins_anew() -> None:
    here = home(device(), temperature())
    engine = Engine("home")
    engine.place(here)
    engine.observe([event(at_us=START_US + n * MINUTE_US, state="-300") for n in range(5)])
    assert kinds(engine.evaluate(START_US + HOUR_US)) == [("impossible", "#sensor.temperature")]
    engine.place(here.changed(Rows(entities=(temperature(unit="°F"),)), Removed()))
    assert kinds(engine.evaluate(START_US + HOUR_US)) == []


def test_what_is_removed_from_the_registries_is_forgotten() -> None:
    here = home(device(), temperature())
    engine = Engine("home")
    engine.place(here)
    engine.observe([event()])
    engine.place(here.changed(Rows(), Removed(devices=("device",), entities=("#sensor.temperature",))))
    assert engine.tracked == 0
    assert engine.facts("device") is None
    assert engine.evaluate(START_US).health == {}


def test_no_more_than_the_limit_is_remembered_and_the_least_recently_heard_goes_first() -> None:
    engine = engine_of(device(), *(temperature(f"sensor.t{n}") for n in range(12)), limit=10)
    engine.observe([event(f"sensor.t{n}", START_US + n) for n in range(10)])
    engine.observe([event("sensor.t0", START_US + MINUTE_US)])
    engine.observe([event(f"sensor.t{n}", START_US + 2 * MINUTE_US) for n in (10, 11)])
    assert engine.tracked == 10
    assert engine.evicted == 2
    kept = {key for key, _ in engine.take_state() if key.startswith("entity:")}
    assert kept == {f"entity:#sensor.t{n}" for n in (0, *range(3, 12))}


def test_forgetting_on_demand_forgets_the_device_with_its_last_entity() -> None:
    engine = engine_of(device("a"), device("b"), temperature("sensor.a", "a"), temperature("sensor.b", "b"))
    engine.observe([event("sensor.a"), event("sensor.b", START_US + 1)])
    engine.forget(1)
    assert engine.tracked == 1
    assert engine.facts("a") is None
    assert engine.facts("b") is not None


def test_facts_are_what_was_measured_last() -> None:
    engine = engine_of(*sensor(1))
    engine.observe(
        [
            event("sensor.d1_battery", START_US, "80"),
            event("sensor.d1_battery", START_US + MINUTE_US, "79"),
            event("sensor.d1_linkquality", START_US + 2 * MINUTE_US, "120"),
            event("sensor.d1_linkquality", START_US + 3 * MINUTE_US, "unknown"),
        ]
    )
    facts = engine.facts("d1")
    assert facts is not None
    assert (facts.battery_level, facts.link_quality, facts.link_unit) == (79, 120, "lqi")
    assert facts.last_seen_us == START_US + 2 * MINUTE_US
    assert facts.available


@pytest.mark.parametrize(("state", "low"), [("on", True), ("off", False)])
def test_a_low_battery_is_a_fact(state: str, low: bool) -> None:  # noqa: FBT001
    engine = engine_of(device(), entity("binary_sensor.low", device_class="battery"))
    engine.observe([event("binary_sensor.low", state=state)])
    facts = engine.facts("device")
    assert facts is not None
    assert facts.battery_low is low


def test_facts_are_told_of_devices_that_were_heard_since() -> None:
    engine = engine_of(device("a"), device("b"), temperature("sensor.a", "a"), temperature("sensor.b", "b"))
    engine.observe([event("sensor.a"), event("sensor.b")])
    assert set(engine.take_changed_facts()) == {"a", "b"}
    engine.observe([event("sensor.b", START_US + MINUTE_US)])
    assert set(engine.take_changed_facts()) == {"b"}
    engine.hear(report(START_US + HOUR_US, reported={"sensor.a": START_US + HOUR_US - 1}))
    assert {id_: each.last_reported_us for id_, each in engine.take_changed_facts().items()} == {
        "a": START_US + HOUR_US - 1
    }
    assert engine.take_changed_facts() == {}


def test_what_is_published_anew_after_a_start_is_not_the_device_speaking() -> None:
    life = Life(Engine("home"), home(device(), temperature()), {"sensor.temperature": HOUR})
    life.go(days=3)
    before = life.engine.facts("device")
    life.restart()
    after = life.engine.facts("device")
    assert before is not None
    assert after is not None
    assert after.last_seen_us == before.last_seen_us


@pytest.mark.parametrize(("owner", "speaks"), [("entry", True), (None, True), ("other", False)])
def test_what_another_integration_puts_at_a_device_does_not_speak_for_it(owner: str | None, speaks: bool) -> None:  # noqa: FBT001
    power = entity("sensor.power", state_class="measurement", unit="W", config_entry_id=owner)
    engine = engine_of(device(), power)
    engine.observe([event("sensor.power", START_US + n * MINUTE_US, f"{n}", "0") for n in range(1, 30)])
    facts = engine.facts("device")
    assert (facts is not None and facts.last_seen_us is not None) is speaks


def test_what_is_published_anew_after_a_start_is_a_fact_where_none_is_known() -> None:
    engine = engine_of(*sensor(1), entity("binary_sensor.low", "d1", device_class="battery"))
    engine.begin("run", START_US)
    engine.observe(
        [
            event("sensor.d1_battery", START_US, "80", None),
            event("sensor.d1_linkquality", START_US, "nan", None),
            event("binary_sensor.low", START_US, "off", None),
        ]
    )
    facts = engine.facts("d1")
    assert facts is not None
    assert (facts.battery_level, facts.battery_low, facts.link_quality) == (80, False, None)
    assert facts.last_seen_us is None


def test_daily_restarts_do_not_hide_a_silent_device() -> None:
    here = home(device("a"), device("b"), temperature("sensor.a", "a"), temperature("sensor.b", "b"))
    life = Life(Engine("home"), here, {"sensor.a": 12 * HOUR, "sensor.b": HOUR})
    life.go(days=14, each_s=600)
    life.mute.add("sensor.a")
    for _ in range(3):
        life.go(days=0.5)
        life.restart()
    assert kinds(life.go(days=0.5)) == [("silent", "a")]


def test_a_restart_raises_nothing() -> None:
    life = Life(Engine("home"), home(*(each for n in range(4) for each in sensor(n))), {
        f"sensor.d{n}_battery": HOUR for n in range(4)
    })  # fmt: skip
    life.go(days=3)
    for away_s in (60, HOUR, DAY_US // 1_000_000):
        life.restart(away_s=away_s)
        life.go(hours=3)
    assert not life.found


def test_a_report_of_another_stream_is_a_start() -> None:
    life = Life(Engine("home"), home(device(), temperature()), {"sensor.temperature": HOUR})
    life.go(days=1)
    assert life.engine.evaluate(life.now_us).settled
    life.engine.hear(Report(stream="another", at_us=life.now_us + MINUTE_US))
    assert not life.engine.evaluate(life.now_us).settled


def test_health_is_learning_until_enough_was_observed() -> None:
    life = Life(Engine("home"), home(device(), temperature()), {"sensor.temperature": HOUR})
    assert life.go(hours=1).health["device"].state == "learning"
    healthy = life.go(days=7).health["device"]
    assert healthy.state == "good"
    assert healthy.confidence == 1


def test_a_device_that_was_never_heard_is_learning() -> None:
    assert engine_of(device()).evaluate(START_US).health["device"].state == "learning"


def test_services_disabled_devices_and_parts_have_no_health() -> None:
    engine = engine_of(
        device("thing"),
        device("service", entry_type="service"),
        device("disabled", disabled_by="user"),
        device("part", parent_id="thing"),
    )
    assert set(engine.evaluate(START_US).health) == {"thing"}


def test_a_sensor_that_moves_away_from_its_peers_drifts() -> None:
    things = [each for n in range(4) for each in (device(f"d{n}"), temperature(f"sensor.t{n}", f"d{n}"))]
    engine = engine_of(*things)
    found: set[tuple[str, str]] = set()
    for hour in range(40 * 24):
        at_us = START_US + hour * HOUR_US
        drifted = max(0, hour / 24 - 20) * 0.5
        wave = (hour % 7) * 0.05
        engine.observe(
            [
                event(f"sensor.t{n}", at_us + n, f"{20 + wave + (drifted if n == 0 else 0) + (hour + n) % 3 * 0.1:.2f}")
                for n in range(4)
            ]
        )
        engine.hear(report(at_us + MINUTE_US))
        for part in range(1, 12):
            engine.hear(report(at_us + part * 5 * MINUTE_US))
        if hour % 24 == 1:
            found.update(kinds(engine.evaluate(at_us + HOUR_US)))
    assert found == {("drift", "#sensor.t0")}


def test_unanswered_commands_are_found() -> None:
    engine = engine_of(device(), entity("light.lamp"))
    asked = tuple(("light.lamp", START_US + n * MINUTE_US, None) for n in range(20))
    engine.hear(Report(stream="run", at_us=START_US + HOUR_US, commands=asked))
    assert kinds(engine.evaluate(START_US + HOUR_US)) == [("commands", "device")]


def test_an_update_that_waits_is_told_by_how_long_it_has_waited() -> None:
    engine = engine_of(device(), entity("update.firmware"))
    engine.observe([event("update.firmware", START_US, "on", "off")])
    engine.observe([event("update.firmware", START_US + DAY_US, "on", None)])
    found = {each.kind.value for each in engine.evaluate(START_US + 15 * DAY_US).conditions}
    assert "update_pending" in found


def test_an_evaluation_of_many_devices_pauses() -> None:
    engine = engine_of(*(device(f"d{n}") for n in range(2_000)))
    assert sum(1 for _ in engine.evaluation(START_US)) >= 4


def test_a_home_may_change_while_it_is_evaluated() -> None:
    here = home(*(each for n in range(600) for each in sensor(n)))
    engine = Engine("home")
    engine.place(here)
    engine.observe([event(each.entity_id) for each in here.entities.values()])
    steps = engine.evaluation(START_US)
    next(steps)
    engine.place(home())
    list(steps)
    assert engine.tracked == 0


def test_a_tracked_entity_takes_no_more_than_a_kilobyte() -> None:
    here = home(*(each for n in range(1_000) for each in sensor(n)))
    engine = Engine("home")
    engine.place(here)
    entities = [each.entity_id for each in here.entities.values()]
    rounds = [
        [event(each, START_US + turn * HOUR_US, str(20 + turn % 7), str(19 + turn % 7)) for each in entities]
        for turn in range(30)
    ]
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for events in rounds:
        engine.observe(events)
        engine.take_hours()
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert engine.tracked == 5_000
    assert taken / engine.tracked <= 1_000


def test_an_empty_engine_says_nothing() -> None:
    engine = Engine("home")
    engine.place(Home.of(Rows()))
    engine.observe([])
    assert engine.evaluate(START_US).conditions == ()
    assert dict(engine.take_state()).keys() == {""}
