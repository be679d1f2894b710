"""What a user is told to see to."""

import pytest
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from custom_components.homeiq.const import DOMAIN
from tests.unit.homeiq.entries import Entry
from tests.unit.homeiq.fake_app import FakeApp


def issues(hass: HomeAssistant) -> dict[str, ir.IssueEntry]:
    """Return what is shown, by the key of its texts."""
    found = ir.async_get(hass).issues.values()
    return {str(issue.translation_key): issue for issue in found if issue.domain == DOMAIN and issue.active}


async def poll(entry: Entry) -> None:
    await entry.runtime_data.coordinator.async_refresh()


class Seen:
    """The changes to issues since the start of the test."""

    def __init__(self, hass: HomeAssistant) -> None:
        self.actions: list[tuple[str, str]] = []
        hass.bus.async_listen(ir.EVENT_REPAIRS_ISSUE_REGISTRY_UPDATED, self._see)

    async def _see(self, event: object) -> None:
        data = event.data  # type: ignore[attr-defined] # of Home Assistant's bus
        self.actions.append((data["action"], data["issue_id"].rpartition("_")[0]))


async def test_ten_drops_are_one_notification_and_ten_in_the_sensor(
    hass: HomeAssistant, entry: Entry, app: FakeApp
) -> None:
    seen = Seen(hass)
    app.reasons = {"spool_dropping": "The queue is full since noon."}
    for app.dropped in range(1, 11):
        await poll(entry)
    await hass.async_block_till_done(wait_background_tasks=False)

    sensor = hass.states.get("sensor.homeiq_dropped")
    assert sensor is not None
    assert sensor.state == "10"
    assert seen.actions == [("create", "queue_dropping")]
    assert issues(hass)["queue_dropping"].severity is ir.IssueSeverity.ERROR
    assert issues(hass)["queue_dropping"].translation_placeholders == {"message": "The queue is full since noon."}

    app.reasons = {}
    await poll(entry)
    assert issues(hass) == {}


async def test_a_queue_that_is_full_now_and_then_is_one_notification(
    hass: HomeAssistant, entry: Entry, app: FakeApp
) -> None:
    seen = Seen(hass)
    for code in ("spool_filling", "spool_full", "spool_filling", "spool_full", "spool_filling"):
        app.reasons = {code: "why"}
        await poll(entry)
    await hass.async_block_till_done(wait_background_tasks=False)
    assert seen.actions == [("create", "queue_full")]

    app.reasons = {}
    await poll(entry)
    assert issues(hass) == {}


@pytest.mark.parametrize(("code", "key"), [("spool_damaged", "queue_damaged"), ("spool_full", "queue_full")])
async def test_what_the_app_says_is_told_until_it_does_not_any_more(
    hass: HomeAssistant, entry: Entry, app: FakeApp, code: str, key: str
) -> None:
    app.reasons = {code: "its own words"}
    await poll(entry)
    assert issues(hass)[key].translation_placeholders == {"message": "its own words"}

    app.reasons = {}
    await poll(entry)
    assert issues(hass) == {}


async def test_missed_events_can_be_ignored_until_there_are_more(
    hass: HomeAssistant, entry: Entry, app: FakeApp
) -> None:
    app.missed = 3
    await poll(entry)
    told = issues(hass)["events_missed"]
    assert (told.severity, told.translation_placeholders) == (ir.IssueSeverity.WARNING, {"missed": "3"})

    ir.async_ignore_issue(hass, DOMAIN, told.issue_id, ignore=True)
    await poll(entry)
    assert issues(hass)["events_missed"].dismissed_version is not None

    app.missed = 4
    await poll(entry)
    assert issues(hass)["events_missed"].dismissed_version is None


async def test_an_entry_that_goes_takes_its_issues_along(hass: HomeAssistant, entry: ConfigEntry, app: FakeApp) -> None:
    app.missed = 3
    app.reasons = {"spool_dropping": "why"}
    app.database = {"state": "misconfigured", "error": "no such bucket"}
    await poll(entry)
    assert set(issues(hass)) == {"events_missed", "queue_dropping", "database_misconfigured"}

    await hass.config_entries.async_remove(entry.entry_id)
    assert issues(hass) == {}
