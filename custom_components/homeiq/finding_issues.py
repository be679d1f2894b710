"""Repair issues for findings that a person can do something about."""

from collections.abc import Iterable
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN
from .findings import Finding

FINDING: Final = "finding"
MORE_FINDINGS: Final = "more_findings"
MOST_ISSUES: Final = 20

# What is for information, and what is mended by tidying up: the app's page lists these.
_NOT_FOR_REPAIRS: Final = frozenset(
    {
        "house_quiet",
        "missing_area",
        "placeholder_name",
        "duplicate_name",
        "missing_integration",
        "orphan_entity",
    }
)
_SEVERITIES: Final = {5: ir.IssueSeverity.CRITICAL, 4: ir.IssueSeverity.ERROR}


@callback
def async_report_findings(hass: HomeAssistant, entry: ConfigEntry, findings: Iterable[Finding]) -> None:
    """Show the gravest of the open findings, and how many more there are; take back what is none any more."""
    worth = [finding for finding in findings if finding.kind not in _NOT_FOR_REPAIRS]
    worth.sort(key=lambda finding: -finding.severity)  # stable: the newest first among equals
    for finding in worth[:MOST_ISSUES]:
        _create(hass, entry, finding)
    shown = {issue_id(entry, finding.id) for finding in worth[:MOST_ISSUES]}
    prefix = issue_id(entry, "")
    for domain, known in list(ir.async_get(hass).issues):
        if domain == DOMAIN and known.startswith(prefix) and known not in shown:
            ir.async_delete_issue(hass, DOMAIN, known)
    _report_more(hass, entry, len(worth) - len(shown))


def issue_id(entry: ConfigEntry, finding_id: str) -> str:
    """Return the issue of a finding; it stays the same, so that an issue that is ignored stays ignored."""
    return f"{FINDING}_{entry.entry_id}_{finding_id}"


def _create(hass: HomeAssistant, entry: ConfigEntry, finding: Finding) -> None:
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id(entry, finding.id),
        data={"entry_id": entry.entry_id, "finding_id": finding.id},
        is_fixable=True,
        severity=_SEVERITIES.get(finding.severity, ir.IssueSeverity.WARNING),
        translation_key=FINDING,
        translation_placeholders={"title": finding.title, "explanation": finding.explanation},
    )


def _report_more(hass: HomeAssistant, entry: ConfigEntry, count: int) -> None:
    more_id = f"{MORE_FINDINGS}_{entry.entry_id}"
    if count == 0:
        ir.async_delete_issue(hass, DOMAIN, more_id)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        more_id,
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key=MORE_FINDINGS,
        translation_placeholders={"count": str(count)},
    )
