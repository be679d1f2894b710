"""``/api/v1/devices`` over real HTTP, before a real database."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from homeiq_server.errors import RetryLater
from homeiq_server.insights import hygiene
from homeiq_server.insights.finding import BatteryEnd, Condition, Facts, Health, Kind
from homeiq_server.insights.home import Home
from homeiq_server.registry import Area, Device, Floor, Rows
from homeiq_server.store import facts, findings, health, registry, zigbee_devices
from homeiq_server.store.pool import Conn, Pool
from homeiq_server.store.zigbee_devices import ZigbeeFacts
from tests.integration.api.serving import Http, Json, ask, get, post, served
from tests.integration.store.rows import (
    AT_US,
    DAY_US,
    HOME,
    OTHER,
    SOURCE,
    add_tenant,
    condition,
    device,
    devices,
    entity,
    healthy,
    home,
    tell,
    unwell,
)
from tests.postgres import Database

MEASURED = Facts(
    available=True,
    battery_level=54.5,
    battery_low=False,
    link_quality=120,
    link_unit="lqi",
    last_seen_us=AT_US,
    last_reported_us=AT_US + 1,
)


async def assess(pool: Pool, at_us: int = AT_US, **given: Health) -> None:
    async with pool.tenant(HOME) as conn:
        await health.save(conn, HOME, at_us, given)


async def find(pool: Pool, *conditions: Condition, at_us: int = AT_US) -> None:
    async with pool.tenant(HOME) as conn:
        await findings.reconcile(conn, HOME, SOURCE, conditions, at_us=at_us, settled=True, evaluated=None)


async def measure(pool: Pool, **given: Facts) -> None:
    async with pool.tenant(HOME) as conn:
        await facts.save(conn, HOME, given)


async def listed(http: Http, **parameters: object) -> list[str]:
    """Return the ids of a page."""
    return [each["id"] for each in (await get(http, "devices", **parameters))["devices"]]


async def walked(http: Http, limit: int, between: Callable[[int], Awaitable[None]] | None = None) -> list[str]:
    """Return the ids of all pages; ``between`` is called after each with its number."""
    found: list[str] = []
    page = 0
    more: Json = {}
    while True:
        answer = await get(http, "devices", limit=limit, **more)
        found += [each["id"] for each in answer["devices"]]
        if answer["next_cursor"] is None:
            return found
        more = {"cursor": answer["next_cursor"]}
        page += 1
        if between:
            await between(page)


async def test_a_device_is_shown_with_all_that_is_known_of_it(http: Http, pool: Pool) -> None:
    lamp = device(
        name_by_user="Reading lamp",
        manufacturer="Signify",
        model="A19",
        model_id="LCA001",
        sw_version="1.2",
        hw_version="3",
        area_id="kitchen",
        labels=("bright",),
        via_device_id="bridge",
    )
    await tell(pool, home(lamp, device("bridge")))
    await measure(pool, lamp=MEASURED)
    await assess(pool, lamp=unwell(60))
    await find(pool, condition(), condition(kind=Kind.DRIFT))
    [_, shown] = (await get(http, "devices"))["devices"]
    assert {name: shown.pop(name) for name in ("created_at", "updated_at")}.keys() == {"created_at", "updated_at"}
    assert shown == {
        "id": "lamp",
        "source": SOURCE,
        "name": "Reading lamp",
        "area_id": "kitchen",
        "area": "Kitchen",
        "floor": "Ground floor",
        "integration": "hue",
        "manufacturer": "Signify",
        "model": "A19",
        "model_id": "LCA001",
        "sw_version": "1.2",
        "hw_version": "3",
        "via_device_id": "bridge",
        "parent_id": None,
        "entry_type": None,
        "disabled_by": None,
        "labels": ["bright"],
        "removed_at": None,
        "facts": {
            "available": True,
            "battery_level": 54.5,
            "battery_low": False,
            "link_quality": 120.0,
            "link_unit": "lqi",
            "last_seen_at": "2026-11-18T11:06:40Z",
            "last_reported_at": "2026-11-18T11:06:40.000001Z",
        },
        "health": {
            "state": "poor",
            "score": 40,
            "confidence": 1.0,
            "deductions": [
                {"name": "offline", "points": 60, "since": "2026-11-18T11:06:40Z", "evidence": {"offline_h": 2.5}}
            ],
            "battery_end": None,
            "assessed_at": "2026-11-18T11:06:40Z",
        },
        "findings": ["drift", "silent"],
    }


async def test_a_device_that_was_never_assessed_has_no_health_and_no_number(http: Http, pool: Pool) -> None:
    await tell(pool, home(device()))
    [shown] = (await get(http, "devices"))["devices"]
    assert shown["health"] is None
    assert (await get(http, "devices/lamp"))["health"] is None
    assert (await get(http, "devices/filters"))["health"] == {"learning": 1}
    assert set(shown["facts"].values()) == {None}


async def test_a_device_that_is_learnt_has_no_score(http: Http, pool: Pool) -> None:
    await tell(pool, home(device()))
    await assess(pool, lamp=Health(state="learning", score=None, confidence=0.2))
    [shown] = (await get(http, "devices"))["devices"]
    assert (shown["health"]["state"], shown["health"]["score"]) == ("learning", None)


async def test_a_device_with_real_numbers_is_not_left_out(http: Http, pool: Pool) -> None:
    await tell(pool, home(device("measured"), device("unknown")))
    await measure(pool, measured=MEASURED)
    await assess(pool, measured=unwell(30))
    assert {
        each["id"]: each["health"] and each["health"]["score"] for each in (await get(http, "devices"))["devices"]
    } == {
        "measured": 70,
        "unknown": None,
    }


async def test_a_missing_integration_or_area_is_null(http: Http, pool: Pool) -> None:
    await tell(pool, home(device(integration=None), device("literal", integration="unknown", area_id="nowhere")))
    [lamp, literal] = (await get(http, "devices"))["devices"]
    assert (lamp["integration"], lamp["area_id"], lamp["area"], lamp["floor"]) == (None, None, None, None)
    assert (literal["integration"], literal["area"]) == ("unknown", None)
    assert await listed(http, integration="unknown") == ["literal"]


async def test_a_missing_integration_is_a_finding_until_there_is_one(http: Http, pool: Pool) -> None:
    async def told(*things: Device) -> None:
        await tell(pool, home(*things))
        async with pool.tenant(HOME) as conn:
            known = Home.of(await registry.load(conn, HOME, SOURCE))
        await find(pool, *hygiene.conditions(known, SOURCE, AT_US, {}))

    lamp = device(name="Reading lamp", area_id="kitchen")
    await told(replace(lamp, integration=None))
    assert (await get(http, "devices/filters"))["findings"] == {"missing_integration": 1}
    assert await listed(http, finding="missing_integration") == ["lamp"]
    await told(lamp)
    assert (await get(http, "devices/filters"))["findings"] == {}
    [past] = (await get(http, "devices/lamp"))["findings"]
    assert (past["kind"], past["state"]) == ("missing_integration", "resolved")


async def test_a_move_shows_in_every_read_at_once(http: Http, pool: Pool) -> None:
    async def all_reads() -> Json:
        detail = await get(http, "devices/lamp")
        [shown] = (await get(http, "devices"))["devices"]
        return {
            "detail": (detail["area"], detail["floor"], detail["integration"]),
            "list": (shown["area"], shown["floor"], shown["integration"]),
            "by area": (await listed(http, area="kitchen"), await listed(http, area="bath")),
            "by floor": (await listed(http, floor="ground"), await listed(http, floor="upper")),
            "by integration": (await listed(http, integration="hue"), await listed(http, integration="zha")),
            "filters": [
                [each["name"] for each in (await get(http, "devices/filters"))[kind]]
                for kind in ("areas", "floors", "integrations")
            ],
        }

    await tell(pool, home(device(area_id="kitchen")))
    assert await all_reads() == {
        "detail": ("Kitchen", "Ground floor", "hue"),
        "list": ("Kitchen", "Ground floor", "hue"),
        "by area": (["lamp"], []),
        "by floor": (["lamp"], []),
        "by integration": (["lamp"], []),
        "filters": [["Kitchen"], ["Ground floor"], ["hue"]],
    }
    await tell(pool, home(device(area_id="bath", integration="zha")))
    assert await all_reads() == {
        "detail": ("Bath", "Upper floor", "zha"),
        "list": ("Bath", "Upper floor", "zha"),
        "by area": ([], ["lamp"]),
        "by floor": ([], ["lamp"]),
        "by integration": ([], ["lamp"]),
        "filters": [["Bath"], ["Upper floor"], ["zha"]],
    }


async def test_a_renamed_area_shows_in_every_read_at_once(http: Http, pool: Pool) -> None:
    await tell(pool, home(device(area_id="kitchen")))
    await get(http, "devices", area="kitchen")
    areas = (Area(id="kitchen", name="Galley", floor_id="ground"),)
    await tell(pool, Rows(floors=(Floor(id="ground", name="Deck"),), areas=areas, devices=(device(area_id="kitchen"),)))
    for shown in (await get(http, "devices/lamp"), *(await get(http, "devices", area="kitchen"))["devices"]):
        assert (shown["area"], shown["floor"]) == ("Galley", "Deck")
    assert (await get(http, "devices/filters"))["areas"] == [{"id": "kitchen", "name": "Galley", "devices": 1}]


async def test_health_findings_and_facts_show_in_every_read_at_once(http: Http, pool: Pool) -> None:
    await tell(pool, home(device()))
    await get(http, "devices")
    await measure(pool, lamp=MEASURED)
    await assess(pool, lamp=unwell(30))
    await find(pool, condition())
    detail = await get(http, "devices/lamp")
    [shown] = (await get(http, "devices", health="fair", finding="silent"))["devices"]
    assert detail["facts"] == shown["facts"]
    assert detail["health"] == shown["health"]
    assert [each["kind"] for each in detail["findings"]] == shown["findings"] == ["silent"]
    await find(pool)
    assert await listed(http, finding="any") == []
    assert (await get(http, "devices/lamp"))["findings"][0]["state"] == "resolved"


async def test_what_was_measured_since_shows_in_list_and_detail(
    aiohttp_client: Callable[..., Awaitable[Http]], pool: Pool
) -> None:
    fresh: dict[str, Facts] = {}
    http = await aiohttp_client(served(pool, fresh.get))
    await tell(pool, home(device()))
    await measure(pool, lamp=MEASURED)
    fresh["lamp"] = Facts(battery_level=12, available=False, last_seen_us=AT_US + DAY_US)
    [shown] = (await get(http, "devices"))["devices"]
    assert shown["facts"] == (await get(http, "devices/lamp"))["facts"]
    assert shown["facts"] == {
        "available": False,
        "battery_level": 12.0,
        "battery_low": False,
        "link_quality": 120.0,
        "link_unit": "lqi",
        "last_seen_at": "2026-11-19T11:06:40Z",
        "last_reported_at": "2026-11-18T11:06:40.000001Z",
    }


FILTERED: Mapping[str, tuple[Json, list[str]]] = {
    "area": ({"area": "kitchen"}, ["dishwasher", "fridge"]),
    "an area that nobody knows": ({"area": "attic"}, []),
    "floor": ({"floor": "upper"}, ["scale"]),
    "integration": ({"integration": "zha"}, ["scale"]),
    "good health": ({"health": "good"}, ["fridge"]),
    "fair health": ({"health": "fair"}, ["dishwasher"]),
    "poor health": ({"health": "poor"}, ["scale"]),
    "affected": ({"health": "affected"}, ["mower"]),
    "unhealthy": ({"health": "unhealthy"}, ["dishwasher", "scale"]),
    "learning, by its state or without one": ({"health": "learning"}, ["lamp", "radio"]),
    "a kind of finding": ({"finding": "battery"}, ["scale"]),
    "any finding that is not muted": ({"finding": "any"}, ["dishwasher", "scale"]),
    "part of a name in any case": ({"search": "ISHW"}, ["dishwasher"]),
    "part of a manufacturer": ({"search": "bos"}, ["dishwasher", "fridge"]),
    "part of a model": ({"search": "kgn"}, ["fridge"]),
    "percent is no joker": ({"search": "%"}, ["radio"]),
    "underscore is no joker": ({"search": "_"}, ["radio"]),
    "backslash is a backslash": ({"search": "\\"}, ["radio"]),
    "a quote is a quote": ({"search": "'"}, []),
    "several at once": ({"area": "kitchen", "health": "unhealthy", "search": "bosch"}, ["dishwasher"]),
    "those too that were removed": ({"removed": "true", "area": "shed"}, ["mower", "old"]),
    "present ones": ({"removed": "false", "area": "shed"}, ["mower"]),
}


@pytest.fixture
async def house(http: Http, pool: Pool) -> Http:
    """A client of a home with something for every filter."""
    things = [
        device("dishwasher", area_id="kitchen", manufacturer="Bosch"),
        device("fridge", area_id="kitchen", manufacturer="Bosch", model="KGN39"),
        device("lamp"),
        device("mower", area_id="shed"),
        device("radio", name="Radio 100% \\_o_/"),
        device("scale", area_id="bath", integration="zha"),
    ]
    await tell(pool, home(*things, device("old", area_id="shed")))
    await tell(pool, home(*things))
    await assess(
        pool,
        dishwasher=unwell(30),
        fridge=healthy(),
        mower=Health(state="affected", score=100, confidence=1),
        radio=Health(state="learning", score=None, confidence=0),
        scale=unwell(60),
    )
    await find(pool, condition("dishwasher"), condition("scale", Kind.BATTERY), condition("fridge", Kind.DRIFT))
    [drift] = (await get(http, "findings", kind="drift"))["findings"]
    await post(http, f"findings/{drift['id']}/mute")
    return http


@pytest.mark.parametrize(("parameters", "expected"), FILTERED.values(), ids=FILTERED)
async def test_devices_are_filtered_by(house: Http, parameters: Json, expected: list[str]) -> None:
    assert await listed(house, **parameters) == expected


async def test_the_filters_count_what_they_leave(house: Http) -> None:
    filters = await get(house, "devices/filters")
    for kind, parameter in (("areas", "area"), ("floors", "floor")):
        for each in filters[kind]:
            assert len(await listed(house, **{parameter: each["id"]})) == each["devices"]
    for each in filters["integrations"]:
        assert len(await listed(house, integration=each["name"])) == each["devices"]
    for state, number in filters["health"].items():
        assert len(await listed(house, health=state)) == number
    for kind, number in filters["findings"].items():
        assert len(await listed(house, finding=kind)) == number
    assert [each["name"] for each in filters["areas"]] == ["Bath", "Kitchen", "Shed"]
    assert [each["name"] for each in filters["floors"]] == ["Ground floor", "Upper floor"]
    assert filters["health"] == {"affected": 1, "fair": 1, "good": 1, "learning": 2, "poor": 1}
    assert filters["findings"] == {"battery": 1, "silent": 1}


REFUSED: Mapping[str, tuple[Json, str]] = {
    "no such health": ({"health": "excellent"}, "health"),
    "no such kind": ({"finding": "broken"}, "finding"),
    "no devices": ({"limit": 0}, "limit"),
    "too many": ({"limit": 501}, "limit"),
    "no number": ({"limit": "all"}, "limit"),
    "neither yes nor no": ({"removed": "maybe"}, "removed"),
    "nothing to search for": ({"search": ""}, "search"),
    "too much to search for": ({"search": "x" * 256}, "search"),
    "a NUL": ({"search": "a\0b"}, "search"),
    "an unknown parameter": ({"colour": "red"}, "colour"),
    "a cursor that is no base64": ({"cursor": "%%%"}, "cursor"),
    "a cursor that is no ASCII": ({"cursor": "ü"}, "cursor"),
    "a cursor of something else": ({"cursor": "eyJhIjoxfQ"}, "cursor"),
    "a cursor with a NUL": ({"cursor": "WyJcdTAwMDAiLCJhIl0"}, "cursor"),
}


@pytest.mark.parametrize(("parameters", "field"), REFUSED.values(), ids=REFUSED)
async def test_a_query_is_refused_by_the_name_of_its_fault(http: Http, parameters: Json, field: str) -> None:
    status, body = await ask(http, "devices", **parameters)
    assert (status, body["type"]) == (400, "about:blank#malformed")
    assert field in body["detail"]


@pytest.mark.parametrize("limit", [1, 7, 50, 500])
async def test_a_walk_visits_every_device_once_by_name_and_id(http: Http, pool: Pool, limit: int) -> None:
    number = 53 if limit > 1 else 5
    same = tuple(device(f"same{n}", name="Device 00002") for n in range(4))
    await tell(pool, home(*devices(number), *same))
    found = await walked(http, limit)
    shown = {each["id"]: each["name"] for each in (await get(http, "devices", limit=500))["devices"]}
    assert found == sorted(shown, key=lambda each: (shown[each], each))
    assert len(found) == number + 4


async def test_a_walk_visits_every_device_once_that_keeps_its_name_while_others_lose_theirs(
    http: Http, pool: Pool
) -> None:
    things = list(devices(40))

    async def rename(page: int) -> None:
        for n, name in ((page, f"Z {page}"), (39 - page, f"A {page}"), (page * 4, f"Device {page * 4:05} b")):
            things[n] = device(things[n].id, name=name)
        await tell(pool, home(*things))

    await tell(pool, home(*things))
    found = await walked(http, 5, rename)
    kept = [each.id for each in devices(40) if each in things]
    assert 10 < len(kept) < 40
    assert {each: found.count(each) for each in kept} == dict.fromkeys(kept, 1)


async def test_a_walk_goes_on_when_the_device_it_stopped_at_is_removed(http: Http, pool: Pool) -> None:
    things = devices(10)
    await tell(pool, home(*things))

    async def remove(_page: int) -> None:
        await tell(pool, home(*things[:4], *things[5:]))

    assert await walked(http, 5, remove) == [each.id for each in things]


async def test_the_detail_holds_entities_whose_capabilities_are_objects(http: Http, pool: Pool) -> None:
    capabilities = {"min": 0, "max": 254, "modes": ["heat", "off"], "deep": {"step": 0.5}}
    dimmer = entity(capabilities=capabilities, supported_features=44, unique_id="u1", device_class="light")
    await tell(pool, home(device(), dimmer, entity("sensor.lamp_power", unit="W"), entity("sensor.old")))
    await tell(pool, home(device(), dimmer, entity("sensor.lamp_power", unit="W")))
    [light, power, old] = (await get(http, "devices/lamp"))["entities"]
    assert light["capabilities"] == capabilities
    assert (light["supported_features"], light["device_class"], light["removed_at"]) == (44, "light", None)
    assert (power["entity_id"], power["unit"], power["capabilities"]) == ("sensor.lamp_power", "W", {})
    assert old["removed_at"] is not None


async def test_the_detail_holds_what_a_list_does_not(http: Http, pool: Pool) -> None:
    lamp = device(
        serial_number="S1",
        configuration_url="http://10.0.0.7/",
        identifiers=(("hue", "1"),),
        connections=(("mac", "aa:bb"), ("zigbee", "00:11")),
    )
    await tell(pool, home(lamp))
    detail = await get(http, "devices/lamp")
    assert (detail["serial_number"], detail["configuration_url"]) == ("S1", "http://10.0.0.7/")
    assert detail["identifiers"] == [["hue", "1"]]
    assert detail["connections"] == [["mac", "aa:bb"], ["zigbee", "00:11"]]


async def test_relationships_name_the_devices_on_both_sides(http: Http, pool: Pool) -> None:
    things = [
        device("bridge"),
        device("strip", via_device_id="bridge"),
        device("socket_1", parent_id="strip"),
        device("socket_2", parent_id="strip", via_device_id="strip"),
        device("stray", via_device_id="unknown"),
    ]
    await tell(pool, home(*things))
    named = {each.id: {"id": each.id, "name": each.shown_name} for each in things}
    assert (await get(http, "devices/strip"))["relationships"] == {
        "hub": named["bridge"],
        "parent": None,
        "children": [named["socket_1"], named["socket_2"]],
        "connected": [named["socket_2"]],
    }
    assert (await get(http, "devices/socket_2"))["relationships"] == {
        "hub": named["strip"],
        "parent": named["strip"],
        "children": [],
        "connected": [],
    }
    nothing: Json = {"hub": None, "parent": None, "children": [], "connected": []}
    assert (await get(http, "devices/stray"))["relationships"] == nothing


async def test_the_detail_holds_the_history_of_health_newest_first(http: Http, pool: Pool) -> None:
    await tell(pool, home(device()))
    for day, assessed in enumerate((healthy(), unwell(30), unwell(60))):
        await assess(pool, AT_US + day * DAY_US, lamp=assessed)
    past = (await get(http, "devices/lamp"))["health_history"]
    assert [(each["at"], each["state"], each["score"]) for each in past] == [
        ("2026-11-20T11:06:40Z", "poor", 40),
        ("2026-11-19T11:06:40Z", "fair", 70),
        ("2026-11-18T11:06:40Z", "good", 100),
    ]
    assert past[0]["deductions"][0]["evidence"] == {"offline_h": 2.5}


async def test_the_detail_holds_open_findings_and_the_newest_twenty_resolved(http: Http, pool: Pool) -> None:
    await tell(pool, home(device(), device("bridge")))
    for n in range(22):
        await find(pool, condition(), at_us=AT_US + n)
        await find(pool, at_us=AT_US + n)
    hub = condition("bridge", Kind.HUB_DOWN, affected=("lamp",))
    await find(pool, condition(), hub, condition("bridge", Kind.SILENT), at_us=AT_US + 100)
    shown = (await get(http, "devices/lamp"))["findings"]
    assert sorted((each["kind"], each["device_name"]) for each in shown[:2]) == [
        ("hub_down", "Bridge"),
        ("silent", "Lamp"),
    ]
    assert [each["state"] for each in shown[2:]] == ["resolved"] * 20
    assert shown[-1]["opened_at"] == "2026-11-18T11:06:40.000002Z"


async def test_a_removed_device_is_still_there_by_its_id(http: Http, pool: Pool) -> None:
    await tell(pool, home(device()))
    await assess(pool, lamp=healthy())
    await tell(pool, home())
    assert await listed(http) == []
    detail = await get(http, "devices/lamp")
    assert detail["removed_at"] is not None
    assert len(detail["health_history"]) == 1


async def test_a_renamed_device_keeps_its_id_and_its_past(http: Http, pool: Pool) -> None:
    await tell(pool, home(device()))
    await assess(pool, lamp=healthy())
    await tell(pool, home(device(name_by_user="Sun")))
    [shown] = (await get(http, "devices", search="sun"))["devices"]
    assert (shown["id"], shown["name"], shown["health"]["score"]) == ("lamp", "Sun", 100)


@pytest.mark.parametrize("device_id", ["unknown", "a%00b", "..%2f", "'", "x" * 1_000])
async def test_an_unknown_device_is_a_404(http: Http, device_id: str) -> None:
    status, body = await ask(http, f"devices/{device_id}")
    assert (status, body["type"]) == (404, "about:blank#not-found")


async def test_another_tenant_s_device_is_a_404_and_in_no_list(http: Http, pool: Pool, database: Database) -> None:
    await add_tenant(database)
    await tell(pool, home(device(area_id="kitchen"), entity()), tenant_id=OTHER)
    async with pool.tenant(OTHER) as conn:
        await health.save(conn, OTHER, AT_US, {"lamp": healthy()})
        given = [condition()]
        await findings.reconcile(conn, OTHER, SOURCE, given, at_us=AT_US, settled=True, evaluated=None)
    assert (await ask(http, "devices/lamp"))[0] == 404
    assert await listed(http, removed="true") == []
    nothing: Json = {"areas": [], "floors": [], "integrations": [], "health": {}, "findings": {}}
    assert await get(http, "devices/filters") == nothing
    assert (await get(http, "insights"))["devices_total"] == 0


async def test_a_device_of_both_tenants_shows_each_its_own(http: Http, pool: Pool, database: Database) -> None:
    await add_tenant(database)
    await tell(pool, home(device(), entity()))
    await tell(pool, home(device(name="Theirs"), entity("light.theirs")), tenant_id=OTHER)
    async with pool.tenant(OTHER) as conn:
        await facts.save(conn, OTHER, {"lamp": MEASURED})
    detail = await get(http, "devices/lamp")
    assert (detail["name"], detail["facts"]["battery_level"]) == ("Lamp", None)
    assert [each["entity_id"] for each in detail["entities"]] == ["light.lamp"]


PATHS = ["devices", "devices/filters", "devices/lamp", "findings", "finding-changes", "insights", "hours?source=a&id=b"]


class Away:
    """A store whose database does not answer."""

    @asynccontextmanager
    async def tenant(self, tenant_id: str) -> AsyncIterator[Conn]:
        raise RetryLater(f"the database of {tenant_id} does not answer")
        yield


@pytest.mark.parametrize("path", PATHS)
async def test_while_the_store_is_away_the_answer_is_to_ask_again(
    aiohttp_client: Callable[..., Awaitable[Http]], path: str
) -> None:
    http = await aiohttp_client(served(Away()))
    status, problem = await ask(http, path)
    assert problem.pop("request_id")
    assert (status, problem) == (
        503,
        {
            "type": "about:blank#retry-later",
            "title": "Not now",
            "status": 503,
            "detail": "the database of home does not answer",
        },
    )


async def test_times_and_dates_of_batteries_are_answered_with_their_zone(http: Http, pool: Pool) -> None:
    end = BatteryEnd(level=3.5, expected_us=AT_US + DAY_US, earliest_us=AT_US, latest_us=AT_US + 9 * DAY_US)
    await tell(pool, home(device()))
    await assess(pool, lamp=healthy(battery_end=end))
    assert (await get(http, "devices/lamp"))["health"]["battery_end"] == {
        "level": 3.5,
        "expected": "2026-11-19T11:06:40Z",
        "earliest": "2026-11-18T11:06:40Z",
        "latest": "2026-11-27T11:06:40Z",
    }


async def test_what_zigbee2mqtt_tells_of_a_device_stands_with_it(http: Http, pool: Pool) -> None:
    ieee = "0x00158d0001dc126a"
    await tell(pool, home(replace(device(), identifiers=(("mqtt", f"zigbee2mqtt_{ieee}"),))))
    assert (await get(http, "devices/lamp"))["zigbee"] is None
    told = ZigbeeFacts(ieee=ieee, friendly_name="lamp", type="Router", power_source="Mains", interview_state="FAILED")
    async with pool.tenant(HOME) as conn:
        await zigbee_devices.save(conn, HOME, "zigbee2mqtt", [told])
    shown = (await get(http, "devices/lamp"))["zigbee"]
    assert (shown["ieee"], shown["type"], shown["power_source"], shown["interview_state"]) == (
        ieee,
        "Router",
        "Mains",
        "FAILED",
    )
