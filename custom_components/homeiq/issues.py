"""Repair issues: what is wrong, and who has to do what about it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN
from .errors import VersionMismatch
from .status import Status

_VERSION_KEYS: Final = ("app_too_old", "integration_too_old")

type _Placeholders = dict[str, str] | None


@dataclass(frozen=True, slots=True)
class _Notice:
    """An issue that the app's status gives reason for.

    Attributes:
        key: Its own, and that of its texts.
        severity: How bad it is.
        placeholders: Returns what its texts need, or None while there is no reason. They should not change with every
            status: an issue stands for the whole episode.
        lingers_with: Code of a reason with which an issue that is there stays, so that it does not come and go.
    """

    key: str
    severity: ir.IssueSeverity
    placeholders: Callable[[Status], _Placeholders]
    lingers_with: str | None = None


def _told(code: str) -> Callable[[Status], _Placeholders]:
    """Return the placeholders of an issue that says what the app says."""

    def placeholders(status: Status) -> _Placeholders:
        message = status.reasons.get(code)
        return None if message is None else {"message": message}

    return placeholders


def _misconfigured(status: Status) -> _Placeholders:
    if status.database_state != "misconfigured":
        return None
    return {"error": status.database_error or "no reason given"}


def _missed(status: Status) -> _Placeholders:
    return {"missed": str(status.missed)} if status.missed else None


_MISSED: Final = "events_missed"
_NOTICES: Final = (
    _Notice("database_misconfigured", ir.IssueSeverity.ERROR, _misconfigured),
    _Notice("queue_full", ir.IssueSeverity.ERROR, _told("spool_full"), lingers_with="spool_filling"),
    _Notice("queue_dropping", ir.IssueSeverity.ERROR, _told("spool_dropping")),
    _Notice("queue_damaged", ir.IssueSeverity.WARNING, _told("spool_damaged")),
    _Notice(_MISSED, ir.IssueSeverity.WARNING, _missed),
)


@callback
def async_report_version(hass: HomeAssistant, entry: ConfigEntry, err: VersionMismatch | None) -> None:
    """Say which side to update, or that there is no need any more."""
    for key in _VERSION_KEYS:
        if err is not None and err.key == key:
            _create(hass, entry, key, ir.IssueSeverity.ERROR, {"app_version": err.app_version})
        else:
            ir.async_delete_issue(hass, DOMAIN, _issue_id(entry, key))


@callback
def async_report_status(hass: HomeAssistant, entry: ConfigEntry, status: Status, before: Status | None) -> None:
    """Say what the app's status gives reason for, and take back what it does not any more.

    Events that are missed stay so for ever: the issue is for reading, and for ignoring until there are more of them
    than ``before``.
    """
    if before is not None and status.missed > before.missed:
        ir.async_delete_issue(hass, DOMAIN, _issue_id(entry, _MISSED))
    for notice in _NOTICES:
        placeholders = notice.placeholders(status)
        if placeholders is not None:
            _create(hass, entry, notice.key, notice.severity, placeholders)
        elif notice.lingers_with not in status.reasons:
            ir.async_delete_issue(hass, DOMAIN, _issue_id(entry, notice.key))


@callback
def async_withdraw_all(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """The entry goes: its issues are nobody's concern any more."""
    for key in (*_VERSION_KEYS, *(notice.key for notice in _NOTICES)):
        ir.async_delete_issue(hass, DOMAIN, _issue_id(entry, key))


def _issue_id(entry: ConfigEntry, key: str) -> str:
    return f"{key}_{entry.entry_id}"


def _create(
    hass: HomeAssistant, entry: ConfigEntry, key: str, severity: ir.IssueSeverity, placeholders: dict[str, str]
) -> None:
    ir.async_create_issue(
        hass,
        DOMAIN,
        _issue_id(entry, key),
        is_fixable=False,
        severity=severity,
        translation_key=key,
        translation_placeholders=placeholders,
    )
