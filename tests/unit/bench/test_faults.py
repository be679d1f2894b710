"""The simulated homes of ``bench/faults`` are the same for the same seed, and the scorer counts what it says."""

import sys
from datetime import date
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(_ROOT / "bench"), str(_ROOT / "scripts")]

from homeiq_bench.faults.baselines import Baselines  # noqa: E402  found through the line above
from homeiq_bench.faults.disturbances import Disturbance  # noqa: E402
from homeiq_bench.faults.homes import Home, home  # noqa: E402
from homeiq_bench.faults.household import DAY_S, Calendar, Household  # noqa: E402
from homeiq_bench.faults.injections import Episode  # noqa: E402
from homeiq_bench.faults.ledger import Holding, Ledger, Opened  # noqa: E402
from homeiq_bench.faults.scoring import aftermaths, scores  # noqa: E402
from homeiq_bench.faults.state_machine import StateMachine  # noqa: E402
from homeiq_bench.faults.things import GONE, Thing  # noqa: E402
from homeiq_bench.faults.trial import Trial  # noqa: E402
from homeiq_server.model import Event  # noqa: E402

NO_HOLIDAY = range(0)
HOUR_S = 3_600


def a_home(seed: str, days: int, first: date = date(2026, 5, 4), *, faulty: bool = False) -> Home:
    calendar = Calendar(first, days, range(days // 2, days // 2 + 4) if faulty else NO_HOLIDAY)
    return home(seed, Household(seed, calendar), faulty=faulty)


def events_of(simulated: Home, days: int) -> list[Event]:
    states, calendar = StateMachine(simulated.things, simulated.seed), simulated.household.calendar
    for day in range(days):
        heard = [
            message
            for thing in simulated.things
            for message in thing.day(day, calendar.at(day, 0), calendar.at(day + 1, 0))
        ]
        for message in sorted(heard, key=lambda message: message[0]):
            states.take(*message)
    return states.take_events()


def broken(simulated: Home, group: str, kind: str) -> tuple[Thing, Episode]:
    return next(
        (thing, episode)
        for thing in simulated.things
        if thing.traits.group == group
        for episode in thing.episodes
        if episode.kind == kind
    )


def test_the_same_seed_gives_the_same_events() -> None:
    assert events_of(a_home("one", 2), 2) == events_of(a_home("one", 2), 2)


def test_another_seed_gives_other_events() -> None:
    assert events_of(a_home("one", 1), 1) != events_of(a_home("two", 1), 1)


def test_nothing_is_heard_of_a_silent_device() -> None:
    simulated = a_home("one", 62, faulty=True)
    thing, episode = broken(simulated, "power", "silent")
    calendar = simulated.household.calendar
    heard = [
        at_s
        for day in range(calendar.days)
        for at_s, _, states in thing.day(day, calendar.at(day, 0), calendar.at(day + 1, 0))
        if states.get("") is None
    ]
    assert any(at_s < episode.start_s for at_s in heard)
    assert any(at_s > episode.end_s for at_s in heard)
    assert not any(episode.covers(at_s) for at_s in heard)


def test_people_keep_to_the_local_clock_when_it_is_changed() -> None:
    calendar = Calendar(date(2026, 3, 28), 3, NO_HOLIDAY)
    assert calendar.at(1, 8) - calendar.at(0, 8) == 23 * HOUR_S
    assert calendar.at(2, 8) - calendar.at(1, 8) == 24 * HOUR_S
    assert calendar.hour(calendar.at(2, 8)) == 8


@pytest.mark.parametrize("seed", ["one", "two"])
def test_a_quiet_week_without_faults_raises_nothing(seed: str) -> None:
    trial = Trial(a_home(seed, 7), (), every_s=1_800.0)
    trial.run()
    assert [f"{found.kind} {found.subject}" for found in trial.ledgers["homeiq"].opened] == []


def test_a_finding_opens_once_while_its_condition_holds() -> None:
    ledger = Ledger()
    held = Holding("silent", "device1", "device1")
    ledger.update(1, [held])
    ledger.update(2, [held])
    ledger.update(3, [], settled=False)
    ledger.update(4, [held])
    ledger.update(5, [])
    ledger.update(6, [held])
    assert [finding.at_s for finding in ledger.opened] == [1, 6]


def test_the_scorer_counts_found_false_and_beside() -> None:
    simulated = a_home("one", 62, faulty=True)
    thing, episode = broken(simulated, "power", "silent")
    healthy = next(each for each in simulated.things if each.traits.group == "power" and not each.episodes)
    opened = [
        Opened(episode.start_s + 2 * HOUR_S, "silent", thing.device.id, thing.device.id),
        Opened(episode.start_s + 3 * HOUR_S, "flapping", thing.device.id, thing.device.id),
        Opened(episode.start_s - 2 * DAY_S, "silent", thing.device.id, thing.device.id),
        Opened(episode.start_s, "silent", healthy.device.id, healthy.device.id),
        Opened(episode.start_s, "house_quiet", "house", None),
    ]
    found = scores((thing, healthy), opened, simulated.span_s)
    silent = found["silent", "power"]
    assert (silent.faults, silent.found, silent.false) == (1, 1, 2)
    assert silent.delays_h == [2]
    assert silent.precision == pytest.approx(1 / 3)
    assert silent.recall == 1
    days = 2 * 62 - (episode.end_s - episode.start_s) / DAY_S
    assert silent.false_per_1000_device_days == pytest.approx(2_000 / days, rel=1e-3)
    assert found["flapping", "power"].false == 0


def test_findings_after_a_disturbance_are_counted_until_a_day_after_it() -> None:
    simulated = a_home("one", 7)
    start_s, _ = simulated.span_s
    restart = Disturbance("restart", start_s, start_s + 90)
    opened = [
        Opened(start_s + 60, "integration_down", "hue", None),
        Opened(start_s + DAY_S, "offline", "device005", "device005"),
        Opened(start_s + 2 * DAY_S, "offline", "device006", "device006"),
    ]
    (after,) = aftermaths(simulated.things, [restart], opened)
    assert (after.findings, after.about_single_devices) == (2, 1)


def test_the_baselines_wait_for_a_day_and_for_a_quarter_of_an_hour() -> None:
    simulated = a_home("one", 1)
    thing = next(each for each in simulated.things if each.traits.group == "light")
    states = StateMachine(simulated.things, "one")
    baselines = Baselines(simulated.things, states.heard_s)
    (entity,) = thing.entities.values()
    states.take(0, thing.number, {entity.entity_id: "on"})
    states.take(DAY_S, thing.number, GONE)
    baselines.observe(states.take_events())
    holding = {rule: list(held) for rule, held in baselines.holding(DAY_S + 60).items()}
    assert [held.device_id for held in holding["fixed_24_h"]] == [thing.device.id]
    assert holding["unavailable_only"] == []
