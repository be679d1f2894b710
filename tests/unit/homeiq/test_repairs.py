"""Findings as repairs: which are shown, for how long, and what can be done about them."""

from collections.abc import Callable
from typing import Any

import pytest
from homeassistant.components.repairs.const import DOMAIN as REPAIRS
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component

from custom_components.homeiq.const import DOMAIN
from tests.unit.homeiq.entries import Entry, poll_insights
from tests.unit.homeiq.fake_app import FakeApp
from tests.unit.homeiq.fake_store import finding

# Home Assistant's own web server does what aiohttp advises against.
pytestmark = pytest.mark.filterwarnings("ignore::aiohttp.web_exceptions.NotAppKeyWarning")


def issues(hass: HomeAssistant) -> dict[str, ir.IssueEntry]:
    """Return what is shown of findings, by title; the sum of the others by its count."""
    found = [one for (domain, _), one in ir.async_get(hass).issues.items() if domain == DOMAIN and one.active]
    placeholders = [(one.translation_placeholders or {}, one) for one in found]
    return {texts.get("title", texts.get("count", "")): one for texts, one in placeholders}


def resolve(one: dict[str, Any]) -> None:
    one["state"] = "resolved"


def mute(one: dict[str, Any]) -> None:
    one["muted"] = True


def acknowledge(one: dict[str, Any]) -> None:
    one["state"] = "acknowledged"


@pytest.mark.parametrize("go", [resolve, mute, acknowledge])
async def test_an_open_finding_is_a_repair_until_it_is_seen_to(
    hass: HomeAssistant, known: Entry, app: FakeApp, go: Callable[[dict[str, Any]], None]
) -> None:
    one = app.store.put(finding("f1"))
    await poll_insights(known)
    issue = issues(hass)["battery of f1"]
    assert (issue.is_fixable, issue.severity, issue.translation_key) == (True, ir.IssueSeverity.WARNING, "finding")

    go(one)
    await poll_insights(known)
    assert issues(hass) == {}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"kind": "battery", "severity": 2}, True),
        ({"kind": "silent", "severity": 3}, True),
        ({"kind": "hub_down", "severity": 5}, True),
        ({"kind": "update_pending", "severity": 2}, True),
        ({"kind": "what_comes_later", "severity": 3}, True),
        ({"kind": "battery", "source": "another"}, False),
        ({"kind": "update_pending", "severity": 1}, False),
        ({"kind": "house_quiet", "severity": 4}, False),
        ({"kind": "missing_integration", "severity": 2}, False),
        ({"kind": "orphan_entity", "severity": 2}, False),
    ],
)
async def test_only_what_a_person_can_mend_is_a_repair(
    hass: HomeAssistant, known: Entry, app: FakeApp, changes: dict[str, Any], *, expected: bool
) -> None:
    app.store.put(finding("f1", **changes))
    await poll_insights(known)

    assert bool(issues(hass)) is expected


async def test_the_gravest_twenty_are_repairs_and_the_others_one(
    hass: HomeAssistant, known: Entry, app: FakeApp
) -> None:
    for number in range(230):
        app.store.put(finding(f"f{number}", severity=5 if number == 0 else 2))
    await poll_insights(known)
    found = issues(hass)

    assert len(found) == 21
    assert found["battery of f0"].severity is ir.IssueSeverity.CRITICAL
    assert found["210"].translation_key == "more_findings"

    app.store.findings = dict(list(app.store.findings.items())[:5])
    await poll_insights(known)
    assert len(issues(hass)) == 5


async def test_an_ignored_repair_stays_ignored_over_polls_and_reloads(
    hass: HomeAssistant, known: Entry, app: FakeApp
) -> None:
    app.store.put(finding("f1"))
    await poll_insights(known)
    ir.async_ignore_issue(hass, DOMAIN, issues(hass)["battery of f1"].issue_id, ignore=True)
    await hass.config_entries.async_reload(known.entry_id)
    await poll_insights(known)

    assert issues(hass)["battery of f1"].dismissed_version is not None


async def test_repairs_stay_while_the_app_is_away_and_go_with_its_store_and_with_the_entry(
    hass: HomeAssistant, known: Entry, app: FakeApp
) -> None:
    app.store.put(finding("f1"))
    await poll_insights(known)
    app.store.state = "unreachable"
    await known.runtime_data.coordinator.async_refresh()
    await poll_insights(known)
    assert "battery of f1" in issues(hass)

    app.store.state = "off"
    await known.runtime_data.coordinator.async_refresh()
    await poll_insights(known)
    assert issues(hass) == {}

    app.store.state = "ok"
    await known.runtime_data.coordinator.async_refresh()
    await poll_insights(known)
    assert "battery of f1" in issues(hass)
    await hass.config_entries.async_remove(known.entry_id)
    assert issues(hass) == {}


async def choose(hass: HomeAssistant, title: str, option: str) -> dict[str, Any]:
    """Open the repair of a finding and choose from its menu."""
    assert await async_setup_component(hass, REPAIRS, {})
    manager = hass.data[REPAIRS]["flow_manager"]
    issue_id = issues(hass)[title].issue_id
    step = await manager.async_init(DOMAIN, context={"issue_id": issue_id})
    assert (step["type"], step["menu_options"]) == (
        FlowResultType.MENU,
        ["acknowledge", "mute_month", "mute_forever"],
    )
    assert step["description_placeholders"]["title"] == title
    done: dict[str, Any] = await manager.async_configure(step["flow_id"], {"next_step_id": option})
    return done


@pytest.mark.parametrize("option", ["acknowledge", "mute_month", "mute_forever"])
async def test_a_repair_acknowledges_or_mutes(hass: HomeAssistant, known: Entry, app: FakeApp, option: str) -> None:
    app.store.put(finding("f1"))
    await poll_insights(known)
    done = await choose(hass, "battery of f1", option)
    await poll_insights(known)
    ((finding_id, what, body),) = app.store.told

    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert (finding_id, what) == ("f1", option.partition("_")[0])
    assert body.get("until_us", 0) is None if option == "mute_forever" else True
    assert body["until_us"] > 30 * 86_400_000_000 if option == "mute_month" else True
    assert issues(hass) == {}


async def test_a_repair_of_a_finding_that_is_gone_is_done(hass: HomeAssistant, known: Entry, app: FakeApp) -> None:
    app.store.put(finding("f1"))
    await poll_insights(known)
    app.store.findings.clear()

    assert (await choose(hass, "battery of f1", "acknowledge"))["type"] is FlowResultType.CREATE_ENTRY


async def test_a_repair_that_the_app_does_not_take_stays(hass: HomeAssistant, known: Entry, app: FakeApp) -> None:
    app.store.put(finding("f1"))
    await poll_insights(known)
    app.store.state = "unreachable"
    done = await choose(hass, "battery of f1", "mute_forever")

    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "failed")
    assert "unreachable" in done["description_placeholders"]["reason"]
    assert "battery of f1" in issues(hass)


@pytest.mark.parametrize("option", ["acknowledge", "mute_month"])
async def test_a_repair_of_an_entry_that_is_not_loaded_stays(
    hass: HomeAssistant, known: Entry, app: FakeApp, option: str
) -> None:
    app.store.put(finding("f1"))
    await poll_insights(known)
    await hass.config_entries.async_unload(known.entry_id)
    done = await choose(hass, "battery of f1", option)

    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "not_loaded")
