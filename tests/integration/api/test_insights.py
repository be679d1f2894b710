"""``/api/v1/insights`` over real HTTP, before a real database."""

import time

from homeiq_server.insights.finding import BatteryEnd, Health, Kind
from homeiq_server.store import findings, health
from homeiq_server.store.pool import Pool
from tests.integration.api.serving import Http, get, post
from tests.integration.store.rows import AT_US, DAY_US, HOME, SOURCE, condition, device, healthy, home, tell, unwell


def ending(in_days: float) -> Health:
    """Return the health of a device whose battery ends so many days from now."""
    expected_us = time.time_ns() // 1_000 + int(in_days * DAY_US)
    end = BatteryEnd(
        level=7.5, expected_us=expected_us, earliest_us=expected_us - DAY_US, latest_us=expected_us + DAY_US
    )
    return healthy(battery_end=end)


async def assess(pool: Pool, **given: Health) -> None:
    async with pool.tenant(HOME) as conn:
        await health.save(conn, HOME, AT_US, given)


async def test_a_home_without_devices_has_zeros(http: Http) -> None:
    assert await get(http, "insights") == {
        "devices_total": 0,
        "devices_unhealthy": 0,
        "devices_learning": 0,
        "devices_affected": 0,
        "open_findings": 0,
        "batteries": [],
        "cursor": 0,
    }


async def test_devices_are_counted_by_health_and_what_was_never_assessed_is_learning(http: Http, pool: Pool) -> None:
    await tell(pool, home(*(device(f"d{n}") for n in range(6))))
    affected = Health(state="affected", score=100, confidence=1)
    learning = Health(state="learning", score=None, confidence=0.1)
    await assess(pool, d0=healthy(), d1=unwell(30), d2=unwell(60), d3=affected, d4=learning)
    shown = await get(http, "insights")
    assert {name: shown[f"devices_{name}"] for name in ("total", "unhealthy", "learning", "affected")} == {
        "total": 6,
        "unhealthy": 2,
        "learning": 2,
        "affected": 1,
    }


async def test_what_is_removed_disabled_or_a_service_does_not_count(http: Http, pool: Pool) -> None:
    there = [device("disabled", disabled_by="user"), device("service", entry_type="service"), device("lamp")]
    await tell(pool, home(*there, device("removed")))
    await tell(pool, home(*there))
    await assess(pool, **{name: ending(1) for name in ("disabled", "service", "lamp", "removed")})
    shown = await get(http, "insights")
    assert (shown["devices_total"], [each["device_id"] for each in shown["batteries"]]) == (1, ["lamp"])


async def test_batteries_that_end_within_45_days_come_soonest_first(http: Http, pool: Pool) -> None:
    await tell(pool, home(*(device(name, area_id="bath") for name in ("a", "b", "c", "d")), device("e")))
    await assess(pool, a=ending(44), b=ending(46), c=ending(-1), d=ending(3), e=healthy())
    batteries = (await get(http, "insights"))["batteries"]
    assert [each["device_id"] for each in batteries] == ["c", "d", "a"]
    first = batteries[0]
    assert (first["name"], first["area"], first["level"]) == ("C", "Bath", 7.5)
    assert first["earliest"] < first["expected"] < first["latest"]
    assert first["expected"].endswith("Z")


async def test_findings_that_are_muted_or_resolved_are_not_counted(http: Http, pool: Pool) -> None:
    async with pool.tenant(HOME) as conn:
        given = [condition("a"), condition("b"), condition("c", Kind.DRIFT)]
        await findings.reconcile(conn, HOME, SOURCE, given, at_us=AT_US, settled=True, evaluated=None)
        await findings.reconcile(conn, HOME, SOURCE, given[1:], at_us=AT_US, settled=True, evaluated=None)
    assert (await get(http, "insights"))["open_findings"] == 2
    [drift] = (await get(http, "findings", kind="drift"))["findings"]
    await post(http, f"findings/{drift['id']}/mute")
    assert (await get(http, "insights"))["open_findings"] == 1
