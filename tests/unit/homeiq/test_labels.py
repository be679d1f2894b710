"""What the app is told of an entity, and when."""

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import area_registry as ar
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er

from custom_components.homeiq.labels import EntityLabels
from tests.unit.homeiq.entries import other_entry


@pytest.fixture
def lamp(hass: HomeAssistant) -> er.RegistryEntry:
    """A lamp that stands in the kitchen with its device."""
    kitchen = ar.async_get(hass).async_create("Kitchen")
    owner, devices = other_entry(hass), dr.async_get(hass)
    device = devices.async_get_or_create(
        config_entry_id=owner.entry_id,
        identifiers={("test", "1")},
        name="Lamp from factory",
        manufacturer="ACME",
        model="L1",
        sw_version="7",
    )
    devices.async_update_device(device.id, area_id=kitchen.id, name_by_user="Lamp")
    return er.async_get(hass).async_get_or_create(
        "light",
        "test",
        "1",
        config_entry=owner,
        device_id=device.id,
        suggested_object_id="lamp",
        original_name="Light",
        original_device_class="bulb",
    )


def test_an_entity_is_told_once_with_all_that_is_known(hass: HomeAssistant, lamp: er.RegistryEntry) -> None:
    labels = EntityLabels(hass)

    assert labels.async_tell(["light.lamp", "light.lamp"]) == {
        "light.lamp": {
            "area": "Kitchen",
            "area_id": "kitchen",
            "device": "Lamp",
            "device_id": lamp.device_id,
            "integration": "test",
            "device_class": "bulb",
            "manufacturer": "ACME",
            "model": "L1",
            "sw_version": "7",
        }
    }
    assert labels.async_tell(["light.lamp"]) == {}


def test_an_entity_without_an_entry_is_told_too_so_that_older_labels_end(hass: HomeAssistant) -> None:
    labels = EntityLabels(hass)

    assert labels.async_tell(["sun.sun"]) == {"sun.sun": {}}
    assert labels.async_tell(["sun.sun"]) == {}


async def test_a_change_in_any_registry_is_told_with_the_next_event(
    hass: HomeAssistant, lamp: er.RegistryEntry
) -> None:
    labels = EntityLabels(hass)
    stop = labels.async_listen()
    labels.async_tell(["light.lamp"])
    assert lamp.device_id is not None

    ar.async_get(hass).async_update("kitchen", name="Big kitchen")
    await hass.async_block_till_done()
    renamed_area = labels.async_tell(["light.lamp"])
    dr.async_get(hass).async_update_device(lamp.device_id, name_by_user="Ceiling lamp")
    await hass.async_block_till_done()
    renamed_device = labels.async_tell(["light.lamp"])
    er.async_get(hass).async_update_entity("light.lamp", device_class="lantern")
    await hass.async_block_till_done()
    other_class = labels.async_tell(["light.lamp"])
    stop()

    assert renamed_area["light.lamp"]["area"] == "Big kitchen"
    assert renamed_device["light.lamp"]["device"] == "Ceiling lamp"
    assert other_class["light.lamp"]["device_class"] == "lantern"


async def test_a_change_that_concerns_no_label_is_not_told(hass: HomeAssistant, lamp: er.RegistryEntry) -> None:
    labels = EntityLabels(hass)
    stop = labels.async_listen()
    labels.async_tell([lamp.entity_id])
    er.async_get(hass).async_update_entity(lamp.entity_id, icon="mdi:lamp")
    await hass.async_block_till_done()
    stop()

    assert labels.async_tell([lamp.entity_id]) == {}


async def test_an_entity_keeps_its_labels_for_the_event_of_its_removal(
    hass: HomeAssistant, lamp: er.RegistryEntry
) -> None:
    labels = EntityLabels(hass)
    stop = labels.async_listen()
    labels.async_tell([lamp.entity_id])
    assert lamp.device_id is not None
    dr.async_get(hass).async_remove_device(lamp.device_id)
    await hass.async_block_till_done()
    stop()

    assert labels.async_tell([lamp.entity_id]) == {}


def test_what_the_app_has_not_taken_is_told_again(hass: HomeAssistant, lamp: er.RegistryEntry) -> None:
    labels = EntityLabels(hass)
    told = labels.async_tell([lamp.entity_id])
    labels.async_untell([lamp.entity_id])

    assert labels.async_tell([lamp.entity_id]) == told


def test_a_child_device_has_the_make_of_its_parent(hass: HomeAssistant, lamp: er.RegistryEntry) -> None:
    devices, entities = dr.async_get(hass), er.async_get(hass)
    assert lamp.device_id is not None
    assert lamp.config_entry_id is not None
    child = devices.async_get_or_create_child(
        config_entry_id=lamp.config_entry_id,
        identifiers={("test", "child")},
        name="Left half",
        parent_device_id=lamp.device_id,
    )
    half = entities.async_get_or_create(
        "light",
        "test",
        "2",
        config_entry=hass.config_entries.async_get_entry(lamp.config_entry_id),
        device_id=child.id,
        suggested_object_id="half",
    )
    told = EntityLabels(hass).async_tell([half.entity_id])[half.entity_id]

    assert (told["device"], told["model"], told["area"]) == ("Left half", "L1", "Kitchen")
