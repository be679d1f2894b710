"""What the recorder drops of a state is given back where its point is named by it."""

import json
from typing import Any

import pytest
from homeassistant.components.recorder.core import Recorder
from homeassistant.const import MATCH_ALL
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import StateInfo
from homeassistant.helpers.json import json_bytes

from custom_components.homeiq.recorded_changes import RecordedChanges
from custom_components.homeiq.recorder_tables import RecordedState
from tests.unit.homeiq.entries import other_entry
from tests.unit.homeiq.past import NOON_US, recorded

NAMING = {"unit_of_measurement": "W", "device_class": "power", "state_class": "measurement"}


def row(attributes: str | None, entity_id: str = "sensor.a") -> RecordedState:
    return RecordedState(entity_id, "1", attributes, None, None, NOON_US, "", None)


def attributes_of(hass: HomeAssistant, one: RecordedState) -> Any:  # noqa: ANN401 - any JSON
    (change,) = RecordedChanges(hass).async_changes([one])
    return json.loads(json_bytes(change[2]))


@pytest.fixture
def registered(hass: HomeAssistant) -> str:
    """An entity that is in the registry only."""
    entry = er.async_get(hass).async_get_or_create(
        "sensor",
        "test",
        "1",
        config_entry=other_entry(hass),
        suggested_object_id="a",
        unit_of_measurement="W",
        original_device_class="power",
        capabilities={"state_class": "measurement"},
    )
    return entry.entity_id


async def test_what_is_too_large_for_the_recorder_keeps_its_unit_and_classes(
    hass: HomeAssistant, recorder_mock: Recorder
) -> None:
    hass.states.async_set("sensor.a", "1", {**NAMING, "forecast": "x" * 20_000})
    (one,) = await recorded(recorder_mock)

    assert one.attributes == "{}"
    assert attributes_of(hass, one) == NAMING


async def test_an_entity_that_is_gone_has_them_from_the_registry(hass: HomeAssistant, registered: str) -> None:
    assert attributes_of(hass, row("{}", registered)) == NAMING
    assert attributes_of(hass, row(None, registered)) == NAMING


async def test_the_current_state_knows_better_than_the_registry(hass: HomeAssistant, registered: str) -> None:
    hass.states.async_set(registered, "1", {"unit_of_measurement": "kW"})

    assert attributes_of(hass, row("{}", registered)) == {**NAMING, "unit_of_measurement": "kW"}


async def test_a_state_that_had_no_unit_then_gets_none_now(hass: HomeAssistant, registered: str) -> None:
    hass.states.async_set(registered, "1", NAMING)

    assert attributes_of(hass, row('{"friendly_name":"A"}', registered)) == {"friendly_name": "A"}


async def test_an_attribute_that_the_entity_does_not_let_be_recorded_is_given_back(
    hass: HomeAssistant, recorder_mock: Recorder
) -> None:
    unrecorded = StateInfo(unrecorded_attributes=frozenset({"device_class", "options"}))
    hass.states.async_set("sensor.a", "1", {**NAMING, "options": ["a"], "level": 7}, state_info=unrecorded)
    (one,) = await recorded(recorder_mock)

    assert "device_class" not in json.loads(one.attributes or "")
    assert attributes_of(hass, one) == {**NAMING, "level": 7}


async def test_an_entity_that_lets_nothing_be_recorded_has_kept_them(
    hass: HomeAssistant, recorder_mock: Recorder
) -> None:
    nothing = StateInfo(unrecorded_attributes=frozenset({MATCH_ALL}))
    hass.states.async_set("sensor.a", "1", {**NAMING, "level": 7}, state_info=nothing)
    (one,) = await recorded(recorder_mock)

    assert attributes_of(hass, one) == NAMING


async def test_recorded_attributes_that_are_no_json_give_way_to_what_is_known(hass: HomeAssistant) -> None:
    unrecorded = StateInfo(unrecorded_attributes=frozenset({"device_class"}))
    hass.states.async_set("sensor.a", "1", NAMING, state_info=unrecorded)

    assert attributes_of(hass, row("{half", "sensor.a")) == {"device_class": "power"}
    assert attributes_of(hass, row("[1]", "sensor.a")) == {"device_class": "power"}
