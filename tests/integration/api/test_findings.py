"""``/api/v1/findings`` over real HTTP, before a real database."""

import time
from collections.abc import Mapping

import pytest

from homeiq_server.api.cursor import cursor_of
from homeiq_server.insights.finding import Condition, Kind
from homeiq_server.store import finding_changes, findings
from homeiq_server.store.pool import Pool
from tests.integration.api.serving import Http, Json, ask, get, post
from tests.integration.store.rows import (
    AT_US,
    DAY_US,
    HOME,
    OTHER,
    SOURCE,
    add_tenant,
    condition,
    device,
    home,
    tell,
)
from tests.postgres import Database, as_owner

UNKNOWN = "00000000-0000-4000-8000-000000000000"
NAIVE = cursor_of(("2026-11-18T11:06:40", UNKNOWN))
ANTIQUE = cursor_of(("0001-01-01T00:00:00+14:00", UNKNOWN))
ACTIONS = ("mute", "unmute", "acknowledge", "unacknowledge")


def soon_us() -> int:
    return time.time_ns() // 1_000 + DAY_US


async def find(pool: Pool, *conditions: Condition, at_us: int = AT_US, tenant_id: str = HOME) -> None:
    async with pool.tenant(tenant_id) as conn:
        await findings.reconcile(conn, tenant_id, SOURCE, conditions, at_us=at_us, settled=True, evaluated=None)


async def listed(http: Http, **parameters: object) -> list[str]:
    """Return the subjects of a page."""
    return [each["subject"] for each in (await get(http, "findings", **parameters))["findings"]]


async def the_only(http: Http, **parameters: object) -> Json:
    [shown] = (await get(http, "findings", **parameters))["findings"]
    assert isinstance(shown, dict)
    return shown


async def act(http: Http, finding: Json, action: str, body: Json | None = None) -> Json:
    status, shown = await post(http, f"findings/{finding['id']}/{action}", body)
    assert status == 200, shown
    return shown


async def changes(http: Http, after: int = 0) -> list[str]:
    return [each["change"] for each in (await get(http, "finding-changes", after=after))["changes"]]


async def test_a_finding_is_shown_with_all_that_is_known_of_it(http: Http, pool: Pool) -> None:
    await tell(pool, home(device(name_by_user="Reading lamp")))
    await find(pool, condition(entity_id="light.lamp", affected=("bulb",)))
    shown = await the_only(http)
    assert len(shown.pop("id")) == 36
    assert shown == {
        "kind": "silent",
        "subject_type": "device",
        "subject": "lamp",
        "source": SOURCE,
        "device_id": "lamp",
        "device_name": "Reading lamp",
        "entity_id": "light.lamp",
        "severity": 3,
        "title": "lamp is quiet",
        "explanation": "It speaks every hour and has been quiet for five.",
        "evidence": {"quiet_h": 5.0, "usual_h": 1.0},
        "affected": ["bulb"],
        "since": "2026-11-18T06:06:40Z",
        "opened_at": "2026-11-18T11:06:40Z",
        "changed_at": "2026-11-18T11:06:40Z",
        "acknowledged_at": None,
        "resolved_at": None,
        "state": "open",
        "muted_until": None,
        "muted": False,
    }


async def test_a_finding_about_no_device_has_none(http: Http, pool: Pool) -> None:
    await find(pool, condition("house", Kind.HOUSE_QUIET, subject_type="house", device_id=None))
    shown = await the_only(http)
    assert (shown["device_id"], shown["device_name"], shown["subject_type"]) == (None, None, "house")


async def test_a_finding_goes_through_its_states_and_each_shows_at_once(http: Http, pool: Pool) -> None:
    await find(pool, condition())
    finding = await the_only(http)
    assert (await act(http, finding, "acknowledge"))["state"] == "acknowledged"
    assert (await the_only(http))["acknowledged_at"] is not None
    assert (await act(http, finding, "unacknowledge"))["state"] == "open"
    assert (await the_only(http))["acknowledged_at"] is None
    assert (await act(http, finding, "mute", {"until_us": None}))["state"] == "muted"
    assert (await the_only(http))["muted"]
    assert (await act(http, finding, "unmute"))["state"] == "open"
    await act(http, finding, "acknowledge")
    await find(pool)
    assert await listed(http) == []
    assert (await the_only(http, state="resolved"))["state"] == "resolved"
    assert await changes(http) == [
        "opened",
        "acknowledged",
        "unacknowledged",
        "muted",
        "unmuted",
        "acknowledged",
        "resolved",
    ]


@pytest.mark.parametrize("action", ACTIONS)
async def test_an_action_done_twice_answers_the_same_and_is_told_once(http: Http, pool: Pool, action: str) -> None:
    await find(pool, condition())
    finding = await the_only(http)
    for before in {"unmute": ["mute"], "unacknowledge": ["acknowledge"]}.get(action, []):
        await act(http, finding, before)
    first = await act(http, finding, action)
    told = await changes(http)
    assert await act(http, finding, action) == first
    assert await changes(http) == told


async def test_a_mute_until_a_time_is_shown_with_it(http: Http, pool: Pool) -> None:
    await find(pool, condition())
    until_us = soon_us()
    shown = await act(http, await the_only(http), "mute", {"until_us": until_us})
    assert (shown["state"], shown["muted"]) == ("muted", True)
    assert shown["muted_until"] == (await the_only(http))["muted_until"]
    again = await act(http, shown, "mute", {"until_us": None})
    assert (again["muted"], again["muted_until"]) == (True, None)


async def test_a_mute_that_is_over_is_no_mute(http: Http, pool: Pool, database: Database) -> None:
    await tell(pool, home(device()))
    await find(pool, condition())
    finding = await the_only(http)
    assert not (await act(http, finding, "mute", {"until_us": 1}))["muted"]
    assert (await act(http, finding, "mute", {"until_us": soon_us()}))["muted"]
    assert (await get(http, "insights"))["open_findings"] == 0
    async with as_owner(database) as owner:
        await owner.execute("UPDATE mutes SET until = now() - interval '1 second'")
    shown = await the_only(http)
    assert (shown["state"], shown["muted"], shown["muted_until"]) == ("open", False, None)
    assert await listed(http, muted="true") == []
    assert (await get(http, "insights"))["open_findings"] == 1
    assert (await get(http, "devices", finding="any"))["devices"][0]["findings"] == ["silent"]


async def test_a_muted_finding_that_comes_back_is_as_silent(http: Http, pool: Pool) -> None:
    await find(pool, condition())
    await act(http, await the_only(http), "mute")
    cursor = (await get(http, "finding-changes"))["cursor"]
    await find(pool)
    await find(pool, condition())
    assert (await the_only(http))["state"] == "muted"
    assert await changes(http, cursor) == []


async def test_a_resolved_finding_is_resolved_even_while_its_kind_is_muted(http: Http, pool: Pool) -> None:
    await find(pool, condition())
    await act(http, await the_only(http), "mute")
    await find(pool)
    shown = await the_only(http, state="resolved")
    assert (shown["state"], shown["muted"]) == ("resolved", True)


FILTERED: Mapping[str, tuple[Json, list[str]]] = {
    "open ones by default, newest first": ({}, ["hub", "door", "lamp"]),
    "open ones": ({"state": "open"}, ["hub", "door", "lamp"]),
    "resolved ones": ({"state": "resolved"}, ["gone"]),
    "all": ({"state": "all"}, ["gone", "hub", "door", "lamp"]),
    "a kind": ({"kind": "battery"}, ["door"]),
    "a device, also when it is affected": ({"device": "lamp"}, ["hub", "lamp"]),
    "a device that nobody knows": ({"device": "nobody"}, []),
    "muted ones": ({"muted": "true"}, ["door"]),
    "those that are not muted": ({"muted": "false"}, ["hub", "lamp"]),
    "their severity": ({"min_severity": 4}, ["hub", "door"]),
    "several at once": ({"min_severity": 4, "muted": "false", "state": "all"}, ["hub"]),
}


@pytest.fixture
async def house(http: Http, pool: Pool) -> Http:
    """A client of a home with something for every filter."""
    lamp = condition("lamp")
    door = condition("door", Kind.BATTERY, severity=4)
    hub = condition("hub", Kind.HUB_DOWN, severity=5, affected=("lamp",))
    await find(pool, lamp, at_us=AT_US)
    await find(pool, lamp, door, at_us=AT_US + 1)
    await find(pool, lamp, door, hub, at_us=AT_US + 2)
    await find(pool, lamp, door, hub, condition("gone"), at_us=AT_US + 3)
    await find(pool, lamp, door, hub, at_us=AT_US + 4)
    await act(http, await the_only(http, kind="battery"), "mute")
    return http


@pytest.mark.parametrize(("parameters", "expected"), FILTERED.values(), ids=FILTERED)
async def test_findings_are_filtered_by(house: Http, parameters: Json, expected: list[str]) -> None:
    assert await listed(house, **parameters) == expected


REFUSED: Mapping[str, tuple[str, Json, str]] = {
    "no such state": ("findings", {"state": "acknowledged"}, "state"),
    "no such kind": ("findings", {"kind": "broken"}, "kind"),
    "neither yes nor no": ("findings", {"muted": "maybe"}, "muted"),
    "no such severity": ("findings", {"min_severity": 6}, "min_severity"),
    "an empty device": ("findings", {"device": ""}, "device"),
    "too many": ("findings", {"limit": 501}, "limit"),
    "an unknown parameter": ("findings", {"severity": 3}, "severity"),
    "a cursor that is none": ("findings", {"cursor": "!"}, "cursor"),
    "a cursor of devices": ("findings", {"cursor": "WyJhIiwiYiJd"}, "cursor"),
    "a cursor of a time without its zone": ("findings", {"cursor": NAIVE}, "cursor"),
    "a cursor of a time before all times": ("findings", {"cursor": ANTIQUE}, "cursor"),
    "a cursor of changes that is no number": ("finding-changes", {"after": "x"}, "after"),
    "a cursor of changes that is negative": ("finding-changes", {"after": -1}, "after"),
    "a cursor of changes without end": ("finding-changes", {"after": 2**63}, "after"),
}


@pytest.mark.parametrize(("path", "parameters", "field"), REFUSED.values(), ids=REFUSED)
async def test_a_query_is_refused_by_the_name_of_its_fault(http: Http, path: str, parameters: Json, field: str) -> None:
    status, body = await ask(http, path, **parameters)
    assert (status, body["type"]) == (400, "about:blank#malformed")
    assert field in body["detail"]


@pytest.mark.parametrize(
    "body", [[], "x", 1, {"until_us": "tomorrow"}, {"until_us": -1}, {"until_us": 2**63}, {"until": 1}]
)
async def test_a_mute_of_another_shape_is_refused(http: Http, pool: Pool, body: object) -> None:
    await find(pool, condition())
    status, answer = await post(http, f"findings/{(await the_only(http))['id']}/mute", body)
    assert (status, answer["type"]) == (400, "about:blank#malformed")
    assert not (await the_only(http))["muted"]


@pytest.mark.parametrize("action", ACTIONS[1:])
async def test_what_an_action_does_not_know_is_refused(http: Http, pool: Pool, action: str) -> None:
    await find(pool, condition())
    status, answer = await post(http, f"findings/{(await the_only(http))['id']}/{action}", {"until_us": 1})
    assert (status, answer["type"]) == (400, "about:blank#malformed")
    assert await changes(http) == ["opened"]


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("finding", [UNKNOWN, "no-uuid", "a%00b"])
async def test_an_unknown_finding_is_a_404(http: Http, finding: str, action: str) -> None:
    status, body = await post(http, f"findings/{finding}/{action}")
    assert (status, body["type"]) == (404, "about:blank#not-found")


async def test_another_tenant_s_finding_is_a_404_and_in_no_list(http: Http, pool: Pool, database: Database) -> None:
    await add_tenant(database)
    await find(pool, condition(), tenant_id=OTHER)
    async with pool.tenant(OTHER) as conn:
        theirs = await conn.fetchval("SELECT id::text FROM findings")
        cursor = await finding_changes.last(conn, OTHER)
    for action in ACTIONS:
        assert (await post(http, f"findings/{theirs}/{action}"))[0] == 404
    assert await listed(http, state="all") == []
    assert await changes(http) == []
    assert (await get(http, "finding-changes", after=cursor))["cursor"] == 0


@pytest.mark.parametrize("limit", [1, 3, 50])
async def test_a_walk_visits_every_finding_once_while_others_open(http: Http, pool: Pool, limit: int) -> None:
    given = [condition(f"d{n}") for n in range(10)]
    await find(pool, *given[:5])
    await find(pool, *given, at_us=AT_US + 1)
    found: list[str] = []
    more: Json = {}
    while True:
        page = await get(http, "findings", limit=limit, **more)
        found += [each["subject"] for each in page["findings"]]
        if page["next_cursor"] is None:
            break
        more = {"cursor": page["next_cursor"]}
        await find(pool, *given, condition(f"new{len(found)}"), at_us=AT_US + 1 + len(found))
    assert sorted(found) == sorted(each.subject for each in given)
    assert set(found[:5]) == {each.subject for each in given[5:]}


async def test_who_begins_to_follow_is_told_nothing_of_the_past(http: Http, pool: Pool) -> None:
    assert await get(http, "finding-changes") == {"changes": [], "cursor": 0}
    await find(pool, condition())
    begun = await get(http, "finding-changes")
    assert begun["changes"] == []
    assert begun["cursor"] == (await get(http, "insights"))["cursor"] > 0
    await find(pool)
    followed = await get(http, "finding-changes", after=begun["cursor"])
    assert [each["change"] for each in followed["changes"]] == ["resolved"]
    assert followed["changes"][0]["finding"]["state"] == "resolved"
    assert followed["cursor"] == followed["changes"][-1]["cursor"]
    assert await get(http, "finding-changes", after=followed["cursor"]) == {
        "changes": [],
        "cursor": followed["cursor"],
    }


async def test_changes_come_in_order_page_by_page(http: Http, pool: Pool) -> None:
    for n in range(5):
        await find(pool, *(condition(f"d{each}") for each in range(n, n + 3)), at_us=AT_US + n)
    found: list[tuple[int, str, str]] = []
    cursor = 0
    while page := (await get(http, "finding-changes", after=cursor, limit=4))["changes"]:
        found += [(each["cursor"], each["change"], each["finding"]["subject"]) for each in page]
        cursor = page[-1]["cursor"]
    assert found == sorted(found)
    assert len(found) == 7 + 4


async def test_a_cursor_ahead_of_a_restored_store_is_set_back_to_it(http: Http, pool: Pool) -> None:
    await find(pool, condition())
    present = (await get(http, "finding-changes"))["cursor"]
    assert await get(http, "finding-changes", after=present + 1_000) == {"changes": [], "cursor": present}
