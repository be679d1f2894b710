"""What is untidy in a home."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.insights.finding import Condition, Kind
from homeiq_server.insights.hygiene import conditions, failed, failing, is_placeholder, lasting
from homeiq_server.registry import Area, ConfigEntry, Device, Entity
from tests.unit.homeiq_server.insights import homes

NOW_US = homes.START_US
KITCHEN = Area(id="area", name="Kitchen")


def found(*things: Device | Entity | Area | ConfigEntry, updates: dict[str, int] | None = None) -> list[Condition]:
    """Return what is untidy; ``updates`` are available, by entity id, since so many days."""
    days = updates or {}
    states = dict.fromkeys(days, "on")
    since = {entity_id: NOW_US - count * homes.DAY_US for entity_id, count in days.items()}
    return list(conditions(homes.home(KITCHEN, *things), "home", NOW_US, states, since))


def kinds(*things: Device | Entity | Area | ConfigEntry) -> list[Kind]:
    return [each.kind for each in found(*things)]


def test_a_tidy_home_has_nothing() -> None:
    assert found(homes.device("Lamp"), homes.device("Radio"), homes.temperature(device_id="Lamp")) == []


def test_a_thing_without_an_area_is_told_and_a_service_is_not() -> None:
    radio = homes.device("Radio")
    assert kinds(radio, homes.device("Lamp", area_id=None)) == [Kind.MISSING_AREA]
    assert kinds(radio, homes.device("Forecast", area_id=None, entry_type="service")) == []
    assert kinds(radio, homes.device("Lamp", area_id=None, disabled_by="user")) == []
    assert kinds(homes.device("Lamp"), homes.device("Channel 1", area_id=None, parent_id="Lamp")) == []


def test_what_lasts_was_first_found_when_it_was_first_found() -> None:
    begun: dict[str, int] = {}
    untidy = homes.home(KITCHEN, homes.device("Radio"), homes.device("Lamp", area_id=None))
    for hour in range(3):
        found_at_us = NOW_US + hour * homes.HOUR_US
        (told,) = lasting(conditions(untidy, "home", found_at_us, {}), begun)
        assert told.since_us == NOW_US
    assert list(lasting((), begun)) == []
    assert begun == {}


def test_a_home_that_makes_no_use_of_areas_misses_none() -> None:
    assert kinds(homes.device("Radio"), *(homes.device(f"Lamp of {n}", area_id=None) for n in "ab")) == []


def test_two_things_of_one_name_in_one_area_are_one_finding() -> None:
    told = found(homes.device("a", name="Lamp"), homes.device("b", name="Spot", name_by_user="lamp "))
    assert [(each.kind, each.subject) for each in told] == [(Kind.DUPLICATE_NAME, "b")]
    assert "2 devices in Kitchen are called" in told[0].explanation
    other = Area(id="other", name="Hall")
    assert kinds(other, homes.device("a", name="Lamp"), homes.device("b", name="Lamp", area_id="other")) == []


@pytest.mark.parametrize(
    "name",
    [
        "unnamed",
        "Unnamed device",
        "default",
        "New Device",
        "Device 3",
        "light_12",
        "Sensor 2",
        "0x00158d0001a2b3c4",
        "00:15:8d:00:01:a2:b3:c4",
        "84f3eb1a2b3c",
        "3e0f0c52-8c3b-4f57-9f6f-0d5a4c1b2a39",
        "unknown",
    ],
)
def test_names_that_nobody_chose_are_known(name: str) -> None:
    assert is_placeholder(name)


@pytest.mark.parametrize(
    "name", ["Kitchen light", "Lamp left", "Light 3 hall", "Deckade", "Defaultier", "TV", "Ada", "Lamp"]
)
def test_names_that_people_choose_are_not_meant(name: str) -> None:
    assert not is_placeholder(name)


def test_a_thing_without_a_name_of_its_own_is_told() -> None:
    assert kinds(homes.device("Device 3")) == [Kind.PLACEHOLDER_NAME]
    assert kinds(homes.device("abcdef", name=None)) == [Kind.PLACEHOLDER_NAME]
    assert kinds(homes.device("a", name="Device 3", name_by_user="Porch lamp")) == []
    assert kinds(homes.device("a", name_by_user="Light 3")) == []


def test_a_thing_of_no_integration_is_told_until_it_has_one() -> None:
    assert kinds(homes.device("Lamp", integration=None, config_entry_id=None)) == [Kind.MISSING_INTEGRATION]
    assert kinds(homes.device("Lamp", integration="mqtt", config_entry_id=None)) == []
    assert kinds(homes.config_entry(domain="zha"), homes.device("Lamp", integration=None)) == []


def test_an_entity_whose_device_or_set_up_is_gone_is_left_over() -> None:
    lamp = homes.device("Lamp")
    assert kinds(lamp, homes.entity(device_id="gone")) == [Kind.ORPHAN_ENTITY]
    assert kinds(lamp, homes.entity(device_id="Lamp", config_entry_id="gone")) == [Kind.ORPHAN_ENTITY]
    assert kinds(lamp, homes.entity(device_id="Lamp", config_entry_id="entry")) == []
    assert kinds(lamp, homes.entity(device_id=None)) == []
    assert kinds(lamp, homes.entity(device_id="gone", registered=False)) == []
    assert kinds(lamp, homes.entity(device_id="gone", disabled_by="user")) == []


def test_an_update_is_told_after_two_weeks() -> None:
    things = homes.device("Lamp"), homes.entity("update.lamp", "Lamp")
    assert found(*things, updates={"update.lamp": 14}) == []
    (told,) = found(*things, updates={"update.lamp": 30})
    assert told.kind == Kind.UPDATE_PENDING
    assert told.device_id == "Lamp"
    assert told.since_us == NOW_US - 30 * homes.DAY_US
    assert "waiting for 4 weeks" in told.explanation


def test_an_update_of_unknown_age_is_not_told() -> None:
    home = homes.home(KITCHEN, homes.device("Lamp"), homes.entity("update.lamp", "Lamp"))
    assert list(conditions(home, "home", NOW_US, {"update.lamp": "on"})) == []


def test_an_integration_that_does_not_run_is_told_after_a_quarter_of_an_hour() -> None:
    home = homes.home(KITCHEN, homes.config_entry(state="setup_retry"), homes.device("Lamp"))
    assert list(failing(home)) == ["entry"]
    assert list(failed(home, {"entry": NOW_US}, NOW_US + 14 * homes.MINUTE_US)) == []
    told = list(failed(home, {"entry": NOW_US}, NOW_US + 15 * homes.MINUTE_US))
    assert [(each.kind, each.subject_type, each.subject, each.since_us) for each in told] == [
        (Kind.INTEGRATION_DOWN, "config_entry", "entry", NOW_US)
    ]
    assert list(failing(homes.home(homes.config_entry(state="not_loaded")))) == []
    assert list(failing(homes.home(homes.config_entry(state="setup_retry", disabled_by="user")))) == []


@given(st.text(max_size=300))
def test_any_name_is_judged(name: str) -> None:
    told = found(homes.device("a", name=name), homes.device("b", name=name))
    assert all(1 <= each.severity <= 2 for each in told)
    assert len({(each.kind, each.subject) for each in told}) == len(told)
