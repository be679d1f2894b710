"""The form of the options: which entities are forwarded, and what is shown of devices."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import probatio
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    AreaSelector,
    AreaSelectorConfig,
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
    LabelSelector,
    LabelSelectorConfig,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
)

from .const import (
    CONF_AREAS,
    CONF_DEVICE_ENTITIES,
    CONF_DEVICES,
    CONF_DOMAINS,
    CONF_ENTITIES,
    CONF_EXCLUDE,
    CONF_GLOBS,
    CONF_INCLUDE,
    CONF_LABELS,
)

_SECTIONS: Final = (CONF_INCLUDE, CONF_EXCLUDE)


def options_schema(hass: HomeAssistant, options: Mapping[str, Any]) -> probatio.Schema:
    """Return the form, filled in with ``options``; it offers the domains that the home has."""
    domains = {state.domain for state in hass.states.async_all()}
    for name in _SECTIONS:
        domains.update(options.get(name, {}).get(CONF_DOMAINS, ()))
    lists = {
        probatio.Required(name): section(
            _lists(sorted(domains), options.get(name, {})), {"collapsed": name not in options}
        )
        for name in _SECTIONS
    }
    devices = section(_devices(options.get(CONF_DEVICES, {})), {"collapsed": CONF_DEVICES not in options})
    return probatio.Schema({**lists, probatio.Optional(CONF_DEVICES): devices})


def tidy(user_input: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the options without empty lists and what is off, so that nothing chosen is nothing stored."""
    lists = {name: {key: value for key, value in chosen.items() if value} for name, chosen in user_input.items()}
    return {name: chosen for name, chosen in lists.items() if chosen}


def shows_device_entities(options: Mapping[str, Any]) -> bool:
    """Return whether devices have entities of HomeIQ."""
    return bool(options.get(CONF_DEVICES, {}).get(CONF_DEVICE_ENTITIES))


def _devices(chosen: Mapping[str, Any]) -> probatio.Schema:
    """Return the fields of the section on devices."""
    is_on = chosen.get(CONF_DEVICE_ENTITIES, False)
    return probatio.Schema({probatio.Optional(CONF_DEVICE_ENTITIES, default=is_on): BooleanSelector()})


def _lists(domains: Iterable[str], chosen: Mapping[str, Any]) -> probatio.Schema:
    """Return the fields of one section."""
    fields = {
        CONF_DOMAINS: SelectSelector(
            SelectSelectorConfig(
                options=list(domains), multiple=True, custom_value=True, mode=SelectSelectorMode.DROPDOWN
            )
        ),
        CONF_ENTITIES: EntitySelector(EntitySelectorConfig(multiple=True)),
        CONF_GLOBS: TextSelector(TextSelectorConfig(multiple=True)),
        CONF_AREAS: AreaSelector(AreaSelectorConfig(multiple=True)),
        CONF_LABELS: LabelSelector(LabelSelectorConfig(multiple=True)),
    }
    return probatio.Schema(
        {
            probatio.Optional(key, description={"suggested_value": chosen.get(key, [])}): field
            for key, field in fields.items()
        }
    )
