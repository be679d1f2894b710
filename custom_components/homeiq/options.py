"""The form of the options: which entities are forwarded."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import probatio
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    AreaSelector,
    AreaSelectorConfig,
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

from .const import CONF_AREAS, CONF_DOMAINS, CONF_ENTITIES, CONF_EXCLUDE, CONF_GLOBS, CONF_INCLUDE, CONF_LABELS

_SECTIONS: Final = (CONF_INCLUDE, CONF_EXCLUDE)


def options_schema(hass: HomeAssistant, options: Mapping[str, Any]) -> probatio.Schema:
    """Return the form, filled in with ``options``; it offers the domains that the home has."""
    domains = {state.domain for state in hass.states.async_all()}
    for name in _SECTIONS:
        domains.update(options.get(name, {}).get(CONF_DOMAINS, ()))
    return probatio.Schema(
        {
            probatio.Required(name): section(
                _lists(sorted(domains), options.get(name, {})), {"collapsed": name not in options}
            )
            for name in _SECTIONS
        }
    )


def tidy(user_input: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the options without empty lists, so that nothing chosen is nothing stored."""
    lists = {name: {key: value for key, value in chosen.items() if value} for name, chosen in user_input.items()}
    return {name: chosen for name, chosen in lists.items() if chosen}


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
