"""What becomes of a state on its way from Home Assistant to the database."""

import pytest

from homeiq_demo.home import DOMAIN, Home
from tests.e2e.probe import Json, Probe, moment_ms

pytestmark = pytest.mark.usefixtures("laws_hold", "quiet_log")


async def intake(home: Home) -> Json:
    status = await home.server.status()
    events: Json = status["intake"]["events"]
    return events


async def test_a_new_entity_has_its_number_stored_under_its_unit_at_its_millisecond(probe: Probe) -> None:
    first = await probe.set("sensor.e2e_number", "21.5", unit_of_measurement="°C")
    second = await probe.set("sensor.e2e_number", "-3", unit_of_measurement="°C")

    assert await probe.value_at(second, "°C_value") == -3
    assert await probe.stored("sensor.e2e_number", "°C_value") == {moment_ms(first): 21.5, moment_ms(second): -3}


async def test_a_word_such_as_on_is_its_number(probe: Probe) -> None:
    seen = await probe.set("switch.e2e_word", "on")

    assert await probe.value_at(seen, "switch.e2e_word_value") == 1


async def test_a_text_is_a_series_of_its_own_that_ends_when_the_next_begins(probe: Probe) -> None:
    heat = await probe.set("climate.e2e_text", "heat")
    cool = await probe.set("climate.e2e_text", "cool")

    assert await probe.value_at(cool, "climate.e2e_text_state", state="cool") == 1
    ended = await probe.stored("climate.e2e_text", "climate.e2e_text_state", state="heat")
    assert ended == {moment_ms(heat): 1, moment_ms(cool): 0}


async def test_a_removed_entity_leaves_its_removal_and_may_come_back(probe: Probe) -> None:
    await probe.set("sensor.e2e_comes_and_goes", "1", unit_of_measurement="%")
    await probe.remove("sensor.e2e_comes_and_goes")
    again = await probe.set("sensor.e2e_comes_and_goes", "2", unit_of_measurement="%")

    assert await probe.value_at(again, "%_value") == 2
    assert list((await probe.stored("sensor.e2e_comes_and_goes", "homeiq_removed_value")).values()) == [1]


@pytest.mark.parametrize("state", ["unknown", "unavailable"])
async def test_a_state_that_says_nothing_is_skipped_and_counted_with_its_reason(
    home: Home, probe: Probe, state: str
) -> None:
    entity_id, reason = f"sensor.e2e_{state}", f"state {state}"
    before = (await intake(home))["skipped_by_reason"].get(reason, 0)
    await probe.set(entity_id, state, unit_of_measurement="%")
    seen = await probe.set(entity_id, "1", unit_of_measurement="%")

    assert await probe.value_at(seen, "%_value") == 1
    assert list(await probe.stored(entity_id, "%_value")) == [moment_ms(seen)]
    assert (await intake(home))["skipped_by_reason"][reason] > before


@pytest.mark.parametrize(
    ("name", "text"),
    [("unicode", "Küche 🍳 日本語"), ("signs", 'quote " comma , equals = backslash \\'), ("length", "x" * 100)],
    ids=["unicode", "signs", "length"],
)
async def test_any_text_of_up_to_100_characters_arrives_as_it_is(probe: Probe, name: str, text: str) -> None:
    seen = await probe.set(f"sensor.e2e_{name}", text)

    assert await probe.value_at(seen, f"sensor.e2e_{name}_state", state=text) == 1


async def test_of_a_state_of_255_characters_the_first_100_arrive(probe: Probe) -> None:
    seen = await probe.set("sensor.e2e_long", "é" * 255)

    assert await probe.value_at(seen, "sensor.e2e_long_state", state="é" * 100) == 1


async def test_attributes_with_moments_sets_and_enums_arrive(probe: Probe) -> None:
    special = ("moment", "rooms", "mode")
    seen = await probe.set("sensor.e2e_rich", "5", special=special, unit_of_measurement="W", level=7)

    assert await probe.value_at(seen, "W_value") == 5
    assert await probe.value_at(seen, "W_level") == 7


async def test_attributes_that_cannot_be_serialised_cost_only_their_own_state(
    home: Home, probe: Probe, expected_complaints: list[str]
) -> None:
    expected_complaints.append("A state of sensor.e2e_bad is left out")
    first = await probe.set("sensor.e2e_good", "1", unit_of_measurement="W")
    await probe.set("sensor.e2e_bad", "2", special=("unspeakable",), unit_of_measurement="W")
    last = await probe.set("sensor.e2e_good", "3", unit_of_measurement="W")
    await probe.remove("sensor.e2e_bad")  # no client could read the states while it is among them

    assert await probe.value_at(last, "W_value") == 3
    assert await probe.value_at(first, "W_value") == 1
    [entry] = await home.home_assistant.entries(DOMAIN)
    diagnostics = await home.home_assistant.rest.get(f"/api/diagnostics/config_entry/{entry['entry_id']}")
    assert diagnostics["data"]["forwarder"]["refused_by_entity"] == {"sensor.e2e_bad": 1}
