from homeiq_server.insights.engine import Engine
from tests.unit.homeiq_server.insights.homes import Life, device, entity, home, kinds, temperature

HOUR = 3_600


def life_of(*entities: str, disabled_by: str | None = None) -> Life:
    here = home(device(disabled_by=disabled_by), *(temperature(each) for each in entities))
    life = Life(Engine("home"), here, dict.fromkeys(entities, HOUR))
    life.go(hours=6)
    return life


def test_a_device_is_offline_after_a_quarter_of_an_hour() -> None:
    life = life_of("sensor.a")
    life.drop("sensor.a")
    assert kinds(life.go(hours=0.25)) == []
    assert kinds(life.go(hours=0.25)) == [("offline", "device")]


def test_it_is_over_as_soon_as_the_device_is_back() -> None:
    life = life_of("sensor.a")
    life.drop("sensor.a")
    life.go(hours=1)
    life.come_back("sensor.a")
    assert kinds(life.engine.evaluate(life.now_us)) == []


def test_all_of_its_entities_must_be_unavailable() -> None:
    life = life_of("sensor.a", "sensor.b")
    life.drop("sensor.a")
    assert kinds(life.go(hours=1)) == []
    life.drop("sensor.b")
    assert kinds(life.go(hours=1)) == [("offline", "device")]


def test_diagnostic_entities_do_not_keep_a_device_online() -> None:
    here = home(
        device(), temperature(), entity("sensor.signal", entity_category="diagnostic"), entity("update.firmware")
    )
    life = Life(Engine("home"), here, {"sensor.temperature": HOUR, "sensor.signal": HOUR, "update.firmware": HOUR})
    life.go(hours=3)
    life.drop("sensor.temperature")
    assert kinds(life.go(hours=1)) == [("offline", "device")]


def test_a_device_that_has_only_diagnostic_entities_is_judged_by_them() -> None:
    here = home(device(), entity("sensor.signal", entity_category="diagnostic"))
    life = Life(Engine("home"), here, {"sensor.signal": HOUR})
    life.go(hours=3)
    life.drop("sensor.signal")
    assert kinds(life.go(hours=1)) == [("offline", "device")]


def test_a_removed_entity_does_not_keep_a_device_online() -> None:
    life = life_of("sensor.a", "sensor.b")
    life.drop("sensor.a")
    life.mute.add("sensor.b")
    life.say("sensor.b", None, "1")
    assert kinds(life.go(hours=1)) == [("offline", "device")]


def test_an_unknown_state_is_not_unavailable() -> None:
    life = life_of("sensor.a")
    life.mute.add("sensor.a")
    life.say("sensor.a", "unknown", "1")
    assert kinds(life.go(hours=1)) == []


def test_a_disabled_device_is_not_offline() -> None:
    life = life_of("sensor.a", disabled_by="user")
    life.drop("sensor.a")
    assert kinds(life.go(hours=1)) == []


def test_facts_tell_whether_it_is_available() -> None:
    life = life_of("sensor.a")
    facts = life.engine.facts("device")
    assert facts is not None
    assert facts.available
    life.drop("sensor.a")
    facts = life.engine.facts("device")
    assert facts is not None
    assert not facts.available


def test_what_is_unavailable_since_a_start_has_as_long_as_it_may_be_silent() -> None:
    life = life_of("sensor.a")
    life.go(days=3)
    life.restart()
    life.drop("sensor.a")
    assert kinds(life.go(hours=2.4)) == []
    assert kinds(life.go(hours=0.5)) == [("offline", "device")]


def test_what_was_offline_before_a_start_stays_it() -> None:
    life = life_of("sensor.a")
    life.drop("sensor.a")
    life.go(hours=1)
    life.restart(back=False)
    assert kinds(life.go(hours=0.5)) == [("offline", "device")]
