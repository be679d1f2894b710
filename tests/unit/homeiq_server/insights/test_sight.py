"""What a hub tells of devices whose entities say nothing new."""

from homeiq_server.insights.engine import Engine
from tests.unit.homeiq_server.insights.homes import HOUR_US, MINUTE_US, Life, device, home, temperature

NAMED = ("mqtt", "zigbee2mqtt_0x00158d0001dc126a")


def life() -> Life:
    watched = device(identifiers=(NAMED,))
    return Life(Engine("instance"), home(watched, temperature()), {"sensor.temperature": 3_600})


def test_a_device_that_its_hub_still_hears_is_not_silent() -> None:
    lived = life()
    lived.go(days=6)
    lived.mute.add("sensor.temperature")
    for _ in range(24):
        lived.go(hours=1)
        lived.engine.sight(NAMED, lived.now_us, None)
    assert ("silent", "device") not in lived.found
    lived.go(hours=12)
    assert ("silent", "device") in lived.found


def test_a_weak_link_is_found_though_no_entity_tells_of_it() -> None:
    lived = life()
    for _ in range(4 * 24):
        lived.go(hours=1)
        lived.engine.sight(NAMED, lived.now_us, 12)
    assert ("link", "device") in lived.found
    facts = lived.engine.facts("device")
    assert facts is not None
    assert (facts.link_quality, facts.link_unit) == (12, "lqi")


def test_what_was_learnt_of_a_link_survives_a_restart() -> None:
    lived = life()
    for _ in range(4 * 24):
        lived.go(hours=1)
        lived.engine.sight(NAMED, lived.now_us, 12)
    again = Engine("instance")
    again.place(lived.home)
    again.restore(lived.engine.take_state())
    again.sight(NAMED, lived.now_us + MINUTE_US, 12)
    found = again.evaluate(lived.now_us + MINUTE_US)
    assert ("link", "device") in {(each.kind.value, each.subject) for each in found.conditions}


def test_a_stranger_and_an_old_sight_change_nothing() -> None:
    lived = life()
    lived.go(hours=2)
    before = lived.engine.facts("device")
    lived.engine.sight(("mqtt", "zigbee2mqtt_0xffffffffffffffff"), lived.now_us, 200)
    lived.engine.sight(NAMED, lived.now_us - HOUR_US * 5, None)
    assert lived.engine.facts("device") == before
