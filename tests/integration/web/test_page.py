"""The page in a real browser, on the real API and a real PostgreSQL."""

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from homeiq_server.insights.finding import BatteryEnd, Condition, Deduction, Facts, Health, Hour, Kind
from homeiq_server.options import Secret
from homeiq_server.registry import Area, Device, Entity, Rows
from homeiq_server.store import facts, findings, health, hours
from homeiq_server.store.pool import Pool
from homeiq_server.store.registry import Registries
from tests.integration.web.browser import browsing, program
from tests.postgres import Database
from tests.unit.homeiq_server.server_builders import Client, options, serving

pytestmark = pytest.mark.skipif(program() is None, reason="there is no Chromium here: install the package chromium")

SOURCE = "instance"
HOUR_US = 3_600_000_000
NOW_US = time.time_ns() // 1_000 // HOUR_US * HOUR_US  # the page plots the last seven days
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
async def server(database: Database, tmp_path: Path) -> AsyncIterator[Client]:
    chosen = options(
        tmp_path / "data",
        store=True,
        history=False,
        database_url=Secret(database.url),
        database_owner_url=Secret(database.owner_url),
    )
    async with serving(chosen) as client:
        yield client


@pytest.fixture
async def history_alone(tmp_path: Path) -> AsyncIterator[Client]:
    async with serving(options(tmp_path / "data", store=False, history=False)) as client:
        yield client


@pytest.fixture
async def home(pool: Pool) -> None:
    """Two devices in one area, one of them with a battery that ends, and 60 more."""
    others = tuple(Device(id=f"other-{n:02}", name=f"Lamp {n:02}", integration="hue") for n in range(60))
    rows = Rows(
        areas=(Area(id="kitchen", name="Kitchen"),),
        devices=(
            Device(id="window", name="Kitchen window", area_id="kitchen", integration="zha", via_device_id="hub"),
            Device(id="hub", name="Coordinator", integration="zha"),
            Device(id="hostile", name=HOSTILE),
            *others,
        ),
        entities=(
            Entity(id="e1", entity_id="sensor.window_temperature", name="Temperature", device_id="window", unit="°C"),
        ),
    )
    await Registries(pool, "home").snapshot(SOURCE, 1, [rows])
    low = Deduction(name="battery", points=20, since_us=NOW_US, evidence={"level_percent": 12})
    end = BatteryEnd(level=12, expected_us=NOW_US, earliest_us=NOW_US - HOUR_US, latest_us=NOW_US + HOUR_US)
    state = Health(state="good", score=80, confidence=1, deductions=(low,), battery_end=end)
    temperatures = [
        Hour(
            id="e1",
            hour_us=NOW_US - n * HOUR_US,
            count=4,
            min=19 + n,
            max=21 + n,
            sum=80 + 4 * n,
            last=20,
            last_us=NOW_US,
        )
        for n in range(6)
    ]
    condition = Condition(
        kind=Kind.BATTERY,
        subject_type="device",
        subject="window",
        device_id="window",
        severity=3,
        title="Kitchen window: the battery ends soon",
        explanation=f"It will be empty in a week. {HOSTILE}",
        evidence={"level_percent": 12},
        since_us=NOW_US,
    )
    async with pool.tenant("home") as conn:
        await health.save(conn, "home", NOW_US, {"window": state})
        await facts.save(conn, "home", {"window": Facts(battery_level=12, available=True, last_seen_us=NOW_US)})
        await hours.add(conn, "home", SOURCE, temperatures)
        await findings.reconcile(conn, "home", SOURCE, [condition], at_us=NOW_US, settled=True, evaluated=None)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("view", ["health", "devices", "device/window", "history"])
async def test_every_view_opens_without_complaint_of_the_browser_and_without_barriers(
    server: Client, view: str
) -> None:
    async with browsing(f"{server.page}/#{view}") as opened:
        await opened.page.locator(f"main#{view.partition('/')[0]} section").first.wait_for()
        await opened.page.wait_for_load_state("networkidle")

        assert opened.complaints == []
        assert await opened.barriers() == []


@pytest.mark.usefixtures("home")
async def test_a_finding_is_muted_found_among_the_muted_and_unmuted(server: Client) -> None:
    async with browsing(f"{server.page}/#health") as opened:
        page = opened.page
        await page.get_by_role("heading", name="Kitchen window: the battery ends soon").wait_for()
        await page.get_by_role("button", name="Mute", exact=True).click()
        await page.get_by_text("Nothing: every device does what it should").wait_for()
        await page.locator("#findings-filter").get_by_label("Show").select_option("muted")
        await page.get_by_role("button", name="Unmute").click()
        await page.get_by_text("Nothing is muted.").wait_for()
        await page.locator("#findings-filter").get_by_label("Show").select_option("open")
        await page.get_by_role("button", name="Seen", exact=True).click()
        await page.get_by_role("button", name="Not seen yet").wait_for()


@pytest.mark.usefixtures("home")
async def test_names_are_shown_as_text_never_as_markup(server: Client) -> None:
    async with browsing(f"{server.page}/#devices") as opened:
        await opened.page.get_by_role("link", name=HOSTILE).wait_for()
        assert await opened.page.locator("img").count() == 0


@pytest.mark.usefixtures("home")
async def test_devices_are_filtered_and_more_of_them_shown_on_demand(server: Client) -> None:
    async with browsing(f"{server.page}/#devices") as opened:
        page, rows = opened.page, opened.page.locator("#devices-list tbody tr")
        await page.get_by_role("button", name="Show more").click()
        await expect(rows).to_have_count(63)
        await page.locator("#devices-filter").get_by_label("Search").fill("window")
        await expect(rows).to_have_text([re.compile("^Kitchen window")])
        await page.locator("#devices-filter").get_by_label("Search").fill("")
        await expect(rows).to_have_count(50)
        await page.locator("#devices-filter").get_by_label("Integration").select_option("zha")
        await expect(rows).to_have_count(2)


@pytest.mark.usefixtures("home")
async def test_a_device_tells_why_it_is_as_it_is_and_plots_what_was_measured(server: Client) -> None:
    async with browsing(f"{server.page}/#device/window") as opened:
        await opened.page.locator("#device section").first.wait_for()
        told = await opened.page.locator("#device").inner_text()
        assert "Kitchen" in told
        assert "\N{MINUS SIGN}20" in told
        assert "Coordinator" in told  # what it talks through
        assert await opened.page.get_by_role("img", name="Health").count() == 1
        assert await opened.page.get_by_role("img", name="Temperature").count() == 1


async def test_an_empty_home_is_told_what_to_do(server: Client) -> None:
    async with browsing(f"{server.page}/#devices") as opened:
        await opened.page.get_by_text("No device is like this.").wait_for()
        assert opened.complaints == []


async def test_a_device_that_does_not_exist_is_an_error_in_words(server: Client) -> None:
    async with browsing(f"{server.page}/#device/nobody") as opened:
        await opened.page.get_by_role("alert").wait_for()
        assert "cannot be shown" in (await opened.texts("[role=alert]"))[0]


async def test_without_a_store_there_is_history_alone(history_alone: Client) -> None:
    async with browsing(f"{history_alone.page}/#devices") as opened:
        await opened.page.locator("main#history").wait_for()
        assert await opened.texts("nav a") == ["History"]
        assert opened.complaints == []


async def test_without_ingest_nothing_of_it_is_shown(server: Client) -> None:
    async with browsing(f"{server.page}/#ingest") as opened:
        await opened.page.locator("main#health").wait_for()
        assert await opened.texts("nav a") == ["Health", "Devices", "History"]
        assert opened.complaints == []


@pytest.mark.parametrize("view", ["ingest", "alerts"])
async def test_without_its_database_a_view_says_so_in_words(tmp_path: Path, view: str) -> None:
    nowhere = Secret("postgresql://homeiq:secret@127.0.0.1:9/homeiq")
    broker = "mqtt://127.0.0.1:9"
    chosen = options(tmp_path / "data", store=True, ingest=True, history=False, mqtt_url=broker, database_url=nowhere)
    async with serving(chosen) as client, browsing(f"{client.page}/#{view}") as opened:
        await expect(opened.page.get_by_role("alert")).to_contain_text("This cannot be shown")


async def test_no_form_of_another_page_can_change_anything(server: Client) -> None:
    answer = await server.ask("POST", f"{server.page}/api/v1/findings/1/mute", json={"until_us": None})
    assert answer.status == 403


async def test_no_form_of_another_page_can_change_a_device_that_sends(database: Database, tmp_path: Path) -> None:
    urls = {"database_url": Secret(database.url), "database_owner_url": Secret(database.owner_url)}
    chosen = options(tmp_path / "data", store=True, ingest=True, history=False, mqtt_url="mqtt://127.0.0.1:9", **urls)
    async with serving(chosen) as client:
        for method in ("POST", "PATCH", "DELETE"):
            answer = await client.ask(method, f"{client.page}/tenant/v1/tenant/provisioning-key", json={})
            assert answer.status == 403
