import random

from homeiq_server.insights.engine import Engine
from homeiq_server.insights.flapping import Flapping, condition
from homeiq_server.insights.words import DAY_S, HOUR_S
from tests.unit.homeiq_server.insights.homes import Life, device, home, temperature

MINUTE = 60


def dropped(times_s: list[float]) -> Flapping:
    flapping = Flapping(at_s=times_s[0])
    for at_s in times_s:
        flapping.drop(at_s, round(at_s * 1e6) + 1)
    return flapping


def test_a_few_drops_are_not_flapping() -> None:
    assert dropped([HOUR_S * n for n in range(4)]).check(4 * HOUR_S) is None


def test_many_drops_within_hours_are() -> None:
    flapping = dropped([600.0 * n for n in range(6)])
    evidence = flapping.check(3_600.0)
    assert evidence is not None
    assert evidence["recent_drops"] > 4  # type: ignore[operator]


def test_it_is_over_within_a_day_of_the_last_drop() -> None:
    flapping = dropped([600.0 * n for n in range(6)])
    assert flapping.check(3_600.0 + 12 * HOUR_S) is not None
    assert flapping.check(3_600.0 + 24 * HOUR_S) is None
    assert flapping.check(3_600.0 + 24 * HOUR_S + 1) is None


def test_half_a_quiet_day_between_drops_is_not_its_end() -> None:
    flapping = dropped([HOUR_S * n for n in range(8)])
    assert flapping.check(7 * HOUR_S) is not None
    assert flapping.check(19 * HOUR_S) is not None
    flapping.drop(19 * HOUR_S, 2)
    evidence = flapping.check(20 * HOUR_S)
    assert evidence is not None
    here = device("d", name="Lamp")
    assert "unavailable about 2 times in the last hours" in condition(here, evidence, 1).explanation


def test_what_it_does_all_the_time_is_its_normal() -> None:
    chance = random.Random(4)  # noqa: S311  # a simulation
    times, at_s = [], 0.0
    while at_s < 120 * DAY_S:
        at_s += chance.expovariate(2 / DAY_S)
        times.append(at_s)
    flapping = Flapping()
    flagged = 0
    for at_s in times:
        flapping.drop(at_s, 1)
        flagged += flapping.check(at_s) is not None
    assert flagged / len(times) < 0.02


def six(**fields: str | None) -> Life:
    things = [device(f"d{n}", **fields) for n in range(6)]
    here = home(*things, *(temperature(f"sensor.t{n}", f"d{n}") for n in range(6)))
    life = Life(Engine("home"), here, {f"sensor.t{n}": 30 * MINUTE for n in range(6)})
    life.go(hours=6)
    return life


def test_a_device_that_comes_and_goes_is_found() -> None:
    life = six()
    for _ in range(6):
        life.drop("sensor.t0")
        life.go(hours=0.1)
        life.come_back("sensor.t0")
        life.go(hours=0.5)
    assert set(life.found) == {("flapping", "d0")}


def test_reloads_of_an_integration_are_nobody_s_flapping() -> None:
    life = six()
    everything = list(life.periods)
    for _ in range(12):
        life.drop(*everything)
        life.go(hours=0.1)
        life.come_back(*everything)
        life.go(hours=0.5)
    assert not life.found


def test_restarts_of_home_assistant_are_nobody_s_flapping() -> None:
    life = six(config_entry_id=None, integration=None)
    for _ in range(12):
        life.drop(*life.periods)
        life.come_back(*life.periods)
        life.restart()
        life.go(hours=0.5)
    assert not {each for each in life.found if each[0] == "flapping"}


def test_drops_of_a_hub_are_not_those_of_its_children() -> None:
    things = [device("hub", config_entry_id="other", integration="other")]
    things += [device(f"d{n}", via_device_id="hub" if n < 3 else None) for n in range(12)]
    here = home(*things, *(temperature(f"sensor.t{n}", f"d{n}") for n in range(12)))
    life = Life(Engine("home"), here, {f"sensor.t{n}": 30 * MINUTE for n in range(12)})
    life.go(hours=2)
    for _ in range(8):
        life.drop("sensor.t0", "sensor.t1", "sensor.t2")
        life.go(hours=0.1)
        life.come_back("sensor.t0", "sensor.t1", "sensor.t2")
        life.go(hours=0.5)
    assert not life.found
