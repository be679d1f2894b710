from homeiq_server.insights.engine import Engine
from homeiq_server.insights.finding import Condition, Evaluation
from tests.unit.homeiq_server.insights.homes import Life, config_entry, device, home, kinds, motion, temperature

HOUR = 3_600


def people(*, motions: int = 6, others: int = 4) -> Life:
    """Return a home in which people set off motion sensors and others speak by themselves."""
    things = [device(f"m{n}") for n in range(motions)] + [device(f"t{n}") for n in range(others)]
    entities = [motion(f"binary_sensor.m{n}", f"m{n}") for n in range(motions)]
    entities += [temperature(f"sensor.t{n}", f"t{n}") for n in range(others)]
    periods = {f"binary_sensor.m{n}": (8 + n) * HOUR for n in range(motions)}
    periods |= {f"sensor.t{n}": HOUR for n in range(others)}
    life = Life(Engine("home"), home(*things, *entities), periods)
    life.go(days=20, each_s=600)
    assert not life.found
    return life


def set_up(devices: int = 6, *, hub: bool = False, state: str = "loaded", entry: str = "entry") -> Life:
    """Return one set-up of an integration, whose devices speak in rhythms of one to six hours."""
    things = [device(f"d{n}", config_entry_id=entry, via_device_id="hub" if hub else None) for n in range(devices)]
    entities = [temperature(f"sensor.t{n}", f"d{n}") for n in range(devices)]
    periods = {f"sensor.t{n}": (1 + n) * HOUR for n in range(devices)}
    if hub:
        things.append(device("hub", config_entry_id="hubs", integration="hubs"))
        entities.append(temperature("sensor.hub", "hub"))
        periods["sensor.hub"] = HOUR
    life = Life(Engine("home"), home(config_entry(entry, state=state), *things, *entities), periods)
    life.go(days=8, each_s=600)
    assert {each for each in life.found if each[0] != "integration_down"} == set()
    life.found.clear()
    return life


def one(evaluation: Evaluation) -> Condition:
    found = [each for each in evaluation.conditions if each.kind.value in {"integration_down", "hub_down"}]
    assert len(found) == 1
    return found[0]


def test_four_days_of_nobody_at_home_are_one_finding() -> None:
    life = people()
    life.mute.update(each for each in life.periods if each.startswith("binary_sensor"))
    life.go(days=4, each_s=600)
    assert set(life.found) == {("house_quiet", "house")}


def test_after_the_return_nothing_is_found_of_devices_that_come_back_in_their_own_time() -> None:
    life = people()
    life.mute.update(each for each in life.periods if each.startswith("binary_sensor"))
    life.go(days=4, each_s=600)
    for each in sorted(life.mute):
        life.mute.discard(each)
        life.go(hours=1)
    assert kinds(life.go(days=2, each_s=600)) == []
    assert set(life.found) == {("house_quiet", "house")}


def test_a_sensor_that_died_meanwhile_is_found_after_the_return() -> None:
    life = people()
    life.mute.update(each for each in life.periods if each.startswith("binary_sensor"))
    life.go(days=4, each_s=600)
    life.mute = {"binary_sensor.m0"}
    assert kinds(life.go(days=2, each_s=600)) == [("silent", "m0")]


def test_a_quiet_house_does_not_become_normal() -> None:
    life = people()
    life.mute.update(each for each in life.periods if each.startswith("binary_sensor"))
    life.go(days=4, each_s=600)
    life.mute.clear()
    life.go(days=2, each_s=600)
    life.mute.add("binary_sensor.m0")
    assert kinds(life.go(hours=36, each_s=600)) == [("silent", "m0")]


def test_one_sensor_among_lively_others_is_silent_itself() -> None:
    life = people()
    life.mute.add("binary_sensor.m0")
    assert kinds(life.go(hours=33)) == [("silent", "m0")]


def test_a_regular_sensor_is_found_while_nobody_is_at_home() -> None:
    life = people()
    life.mute.update(each for each in life.periods if each.startswith("binary_sensor"))
    life.go(days=2, each_s=600)
    life.mute.add("sensor.t0")
    assert set(kinds(life.go(hours=4))) == {("house_quiet", "house"), ("silent", "t0")}


def test_an_integration_whose_devices_become_unavailable_is_one_finding() -> None:
    life = set_up()
    life.drop(*life.periods)
    evaluation = life.go(hours=10, each_s=600)
    assert set(life.found) == {("integration_down", "entry")}
    assert set(one(evaluation).affected) == {f"d{n}" for n in range(6)}
    assert {each.state for each in evaluation.health.values()} == {"affected"}
    assert all(not each.deductions for each in evaluation.health.values())


def test_an_integration_that_falls_quiet_is_one_finding_from_the_first_device_on() -> None:
    life = set_up()
    life.mute.update(life.periods)
    life.go(days=2)
    assert set(life.found) == {("integration_down", "entry")}


def test_devices_that_come_back_one_by_one_are_not_found_for_themselves() -> None:
    life = set_up()
    life.mute.update(life.periods)
    life.go(days=2, each_s=600)
    for each in sorted(life.mute):
        life.mute.discard(each)
        life.go(hours=0.5)
    assert kinds(life.go(days=1, each_s=600)) == []
    assert set(life.found) == {("integration_down", "entry")}


def test_two_devices_of_six_are_two_findings() -> None:
    life = set_up()
    life.drop("sensor.t0", "sensor.t1")
    assert set(kinds(life.go(hours=1))) == {("offline", "d0"), ("offline", "d1")}


def test_faults_at_different_times_are_no_common_cause() -> None:
    life = set_up(6)
    for n in (0, 1, 2):
        life.drop(f"sensor.t{n}")
        life.go(hours=3)
    assert set(kinds(life.engine.evaluate(life.now_us))) == {("offline", f"d{n}") for n in (0, 1, 2)}


def test_two_devices_are_too_few_for_a_common_cause() -> None:
    life = set_up(2)
    life.drop("sensor.t0", "sensor.t1")
    assert set(kinds(life.go(hours=1))) == {("offline", "d0"), ("offline", "d1")}


def test_home_assistant_s_own_word_that_a_set_up_failed_needs_no_majority() -> None:
    life = set_up(2, state="setup_retry")
    life.drop("sensor.t0")
    life.go(hours=1)
    assert set(life.found) == {("integration_down", "entry")}


def test_set_ups_of_one_device_each_are_down_together_as_an_integration() -> None:
    things = [device(f"d{n}", config_entry_id=f"e{n}", integration="esphome") for n in range(4)]
    entities = [temperature(f"sensor.t{n}", f"d{n}") for n in range(4)]
    life = Life(Engine("home"), home(*things, *entities), {f"sensor.t{n}": HOUR for n in range(4)})
    life.go(days=2, each_s=600)
    life.drop(*life.periods)
    life.go(hours=1)
    assert set(life.found) == {("integration_down", "esphome")}


def test_a_hub_that_is_down_takes_its_children_along() -> None:
    life = set_up(hub=True)
    life.drop(*life.periods)
    evaluation = life.go(hours=10, each_s=600)
    assert set(life.found) == {("hub_down", "hub")}
    assert set(one(evaluation).affected) == {f"d{n}" for n in range(6)}
    assert evaluation.health["d0"].state == "affected"
    assert evaluation.health["hub"].state == "poor"


def test_a_hub_whose_children_go_on_speaking_is_only_offline_itself() -> None:
    life = set_up(hub=True)
    life.drop("sensor.hub")
    life.go(hours=6)
    assert ("offline", "hub") in kinds(life.engine.evaluate(life.now_us))


def test_children_of_children_are_affected_too() -> None:
    things = [device("hub", config_entry_id="a", integration="a"), device("router", via_device_id="hub")]
    things += [device("lamp", via_device_id="router")]
    entities = [temperature(f"sensor.{each}", each) for each in ("hub", "router", "lamp")]
    life = Life(
        Engine("home"), home(*things, *entities), dict.fromkeys(("sensor.hub", "sensor.router", "sensor.lamp"), HOUR)
    )
    life.go(days=2, each_s=600)
    life.drop(*life.periods)
    assert set(one(life.go(hours=1)).affected) == {"router", "lamp"}


def test_a_common_cause_survives_a_restart_of_the_app() -> None:
    life = set_up()
    life.mute.update(life.periods)
    life.go(days=1, each_s=600)
    restored = Engine("home")
    restored.restore(life.engine.take_state())
    restored.place(life.home)
    life.engine = restored
    life.go(days=1, each_s=600)
    assert set(life.found) == {("integration_down", "entry")}


def test_what_talks_through_a_hub_that_is_away_is_left_to_the_hub_even_if_one_was_offline_before() -> None:
    life = set_up(hub=True)
    life.drop("sensor.t0")
    life.go(hours=1, each_s=300)
    life.found.clear()
    life.drop(*(f"sensor.t{n}" for n in range(1, 6)), "sensor.hub")
    life.go(hours=1, each_s=300)
    assert set(life.found) == {("hub_down", "hub"), ("offline", "d0")} or set(life.found) == {("hub_down", "hub")}
