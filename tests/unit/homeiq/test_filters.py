"""Which entities are forwarded; where core has an answer, it is core's."""

from typing import Any

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import area_registry as ar
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers import label_registry as lr
from homeassistant.helpers.entityfilter import convert_include_exclude_filter
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from custom_components.homeiq.filters import EntityFilter
from tests.unit.homeiq.entries import other_entry

_DOMAINS = ("light", "sensor", "switch")
_ENTITIES = [f"{domain}.{name}" for domain in _DOMAINS for name in ("kitchen", "hall_power", "attic")]
_LISTS = st.fixed_dictionaries(
    {
        "domains": st.lists(st.sampled_from(_DOMAINS), max_size=2),
        "entities": st.lists(st.sampled_from(_ENTITIES), max_size=2),
        "entity_globs": st.lists(st.sampled_from(["*.hall_*", "sensor.*", "light.k?tchen", "*"]), max_size=2),
    }
)


# The harness freezes the garbage collector, which makes hypothesis believe that nobody holds its own generator.
@pytest.mark.filterwarnings("ignore:It looks like `register_random`:hypothesis.errors.HypothesisWarning")
@settings(
    max_examples=1_000,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(include=_LISTS, exclude=_LISTS)
def test_lists_without_areas_and_labels_mean_what_core_says(
    hass: HomeAssistant, include: dict[str, list[str]], exclude: dict[str, list[str]]
) -> None:
    # An entity on both lists is included by core's documentation, and by ours; core's code excludes it in one case.
    assume(set(include["entities"]).isdisjoint(exclude["entities"]))
    ours = EntityFilter(hass, {"include": include, "exclude": exclude})
    cores = convert_include_exclude_filter({"include": include, "exclude": exclude})

    assert [ours.async_forwards(one) for one in _ENTITIES] == [cores(one) for one in _ENTITIES]


@pytest.fixture
def lamp(hass: HomeAssistant) -> er.RegistryEntry:
    """A lamp whose device stands in the kitchen; the device is labelled ``mains``, the area ``ground``."""
    labels, areas = lr.async_get(hass), ar.async_get(hass)
    mains, ground = labels.async_create("mains"), labels.async_create("ground")
    kitchen = areas.async_create("Kitchen", labels={ground.label_id})
    owner = other_entry(hass)
    device = dr.async_get(hass).async_get_or_create(config_entry_id=owner.entry_id, identifiers={("test", "1")})
    dr.async_get(hass).async_update_device(device.id, area_id=kitchen.id, labels={mains.label_id})
    return er.async_get(hass).async_get_or_create(
        "light", "test", "1", config_entry=owner, device_id=device.id, suggested_object_id="lamp", original_name="Lamp"
    )


@pytest.mark.parametrize(
    "options",
    [
        {"include": {"areas": ["kitchen"]}},
        {"include": {"labels": ["mains"]}},
        {"include": {"labels": ["ground"]}},
        {"include": {"areas": ["kitchen"]}, "exclude": {"domains": ["light"]}},
        {"exclude": {"areas": ["attic"]}},
        {"include": {"entities": ["light.lamp"]}, "exclude": {"areas": ["kitchen"]}},
    ],
)
def test_an_entity_belongs_to_the_area_and_labels_of_its_device(
    hass: HomeAssistant, lamp: er.RegistryEntry, options: dict[str, Any]
) -> None:
    assert EntityFilter(hass, options).async_forwards(lamp.entity_id)


@pytest.mark.parametrize(
    "options",
    [
        {"exclude": {"areas": ["kitchen"]}},
        {"exclude": {"labels": ["mains"]}},
        {"include": {"areas": ["attic"]}},
        {"include": {"domains": ["light"]}, "exclude": {"labels": ["ground"]}},
        {"include": {"areas": ["kitchen"]}, "exclude": {"entities": ["light.lamp"]}},
    ],
)
def test_an_entity_is_left_out_by_its_area_and_labels(
    hass: HomeAssistant, lamp: er.RegistryEntry, options: dict[str, Any]
) -> None:
    assert not EntityFilter(hass, options).async_forwards(lamp.entity_id)


def decides(entity_filter: EntityFilter, entity_id: str) -> bool:
    return entity_filter.async_forwards_change({"entity_id": entity_id, "old_state": None, "new_state": None})


async def test_a_decision_follows_the_registries(hass: HomeAssistant, lamp: er.RegistryEntry) -> None:
    entity_filter = EntityFilter(hass, {"exclude": {"areas": ["attic"]}})
    stop = entity_filter.async_listen()
    assert decides(entity_filter, lamp.entity_id)

    attic = ar.async_get(hass).async_create("Attic")
    er.async_get(hass).async_update_entity(lamp.entity_id, area_id=attic.id)
    await hass.async_block_till_done()
    moved_itself = decides(entity_filter, lamp.entity_id)
    er.async_get(hass).async_update_entity(lamp.entity_id, area_id=None)
    assert lamp.device_id is not None
    dr.async_get(hass).async_update_device(lamp.device_id, area_id=attic.id)
    await hass.async_block_till_done()
    moved_with_its_device = decides(entity_filter, lamp.entity_id)
    stop()

    assert not moved_itself
    assert not moved_with_its_device


async def test_the_removal_of_an_entity_is_decided_as_its_changes_were(
    hass: HomeAssistant, lamp: er.RegistryEntry
) -> None:
    entity_filter = EntityFilter(hass, {"include": {"areas": ["kitchen"]}})
    stop = entity_filter.async_listen()
    assert decides(entity_filter, lamp.entity_id)

    er.async_get(hass).async_remove(lamp.entity_id)
    await hass.async_block_till_done()
    stop()

    assert decides(entity_filter, lamp.entity_id)


def test_empty_lists_leave_nothing_to_decide(hass: HomeAssistant) -> None:
    assert EntityFilter(hass, {"include": {"domains": []}}).forwards_all
