"""Repair issues: what is wrong, and who has to do what about it."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN
from .errors import VersionMismatch
from .status import Status

_VERSION_KEYS = ("app_too_old", "integration_too_old")
_DATABASE_KEY = "database_misconfigured"


@callback
def async_report_version(hass: HomeAssistant, entry: ConfigEntry, err: VersionMismatch | None) -> None:
    """Say which side to update, or that there is no need any more."""
    for key in _VERSION_KEYS:
        if err is not None and err.key == key:
            _create(hass, entry, key, {"app_version": err.app_version})
        else:
            ir.async_delete_issue(hass, DOMAIN, _issue_id(entry, key))


@callback
def async_report_database(hass: HomeAssistant, entry: ConfigEntry, status: Status) -> None:
    """Say that the app's database settings need mending, or that they do not any more."""
    if status.database_state == "misconfigured":
        _create(hass, entry, _DATABASE_KEY, {"error": status.database_error or "no reason given"})
    else:
        ir.async_delete_issue(hass, DOMAIN, _issue_id(entry, _DATABASE_KEY))


@callback
def async_withdraw_all(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """The entry goes: its issues are nobody's concern any more."""
    for key in (*_VERSION_KEYS, _DATABASE_KEY):
        ir.async_delete_issue(hass, DOMAIN, _issue_id(entry, key))


def _issue_id(entry: ConfigEntry, key: str) -> str:
    return f"{key}_{entry.entry_id}"


def _create(hass: HomeAssistant, entry: ConfigEntry, key: str, placeholders: dict[str, str]) -> None:
    ir.async_create_issue(
        hass,
        DOMAIN,
        _issue_id(entry, key),
        is_fixable=False,
        severity=ir.IssueSeverity.ERROR,
        translation_key=key,
        translation_placeholders=placeholders,
    )
