"""The view of alerts, in a real browser, on the real API with PostgreSQL and Mosquitto."""

from typing import Literal

import pytest
from playwright.async_api import Page, expect

from tests.integration.web.browser import browsing, program
from tests.integration.web.sending import Home
from tests.unit.homeiq_server.server_builders import eventually

pytestmark = pytest.mark.skipif(program() is None, reason="there is no Chromium here: install the package chromium")

HOSTILE = "<img src=x onerror=alert(1)>"


async def _confirm(page: Page, name: str) -> None:
    await page.get_by_role("dialog").get_by_role("button", name=name).click()


@pytest.fixture
async def alerted(home: Home) -> Home:
    """A home with an open alert, which could not be told."""
    await home.made("alert-rules", name=HOSTILE, kind="THRESHOLD", metric="temperature", operator="GT", threshold=30)
    place = await home.made("integrations", name=HOSTILE, kind="webhook", config={"url": "http://127.0.0.1:9/hook"})
    await home.made("routes", integration_id=place["id"], name="all")
    await home.measured("oven", await home.device("oven", name=HOSTILE), temperature=31)
    await eventually(home.has_alert)

    async def is_given_up() -> bool:
        return bool((await home.asked("deliveries?state=DEAD"))["deliveries"])

    await eventually(is_given_up)
    return home


@pytest.mark.parametrize(("width", "colors"), [(1_000, "light"), (360, "dark")])
async def test_it_opens_without_complaints_barriers_and_overhang_unfolded_too(
    alerted: Home, width: int, colors: Literal["light", "dark"]
) -> None:
    async with browsing(f"{alerted.page}/#alerts", width=width, colors=colors) as opened:
        page = opened.page
        await expect(page.locator("#open-alerts article")).to_have_count(1)
        for kind in ("NO_TELEMETRY", "INSIGHT"):  # the lowest first, so that no click moves the next one
            for folded in reversed(await page.locator("main#alerts details:not([open]) > summary").all()):
                if await folded.is_visible():
                    await folded.click()
            await page.locator("#rule-form").get_by_label("Watch").select_option(kind)
            assert await opened.barriers() == []
            assert await opened.overhang() == 0
        assert opened.complaints == []
        assert await page.locator("img").count() == 0  # the names are text


async def test_a_home_without_rules_is_told_what_to_do(home: Home) -> None:
    async with browsing(f"{home.page}/#alerts") as opened:
        await opened.page.get_by_text("Nothing is watched yet, so there are no alerts. Add a rule below").wait_for()
        await opened.page.get_by_text("Add a place below").wait_for()
        assert opened.complaints == []
        assert await opened.barriers() == []


async def test_a_rule_made_by_the_form_opens_an_alert(home: Home) -> None:
    token = await home.device("oven")
    await home.measured("oven", token, temperature=20)
    async with browsing(f"{home.page}/#alerts") as opened:
        page, form = opened.page, opened.page.locator("#rule-form")
        await page.get_by_text("Add a rule", exact=True).click()
        await expect(page.locator("#metric-names option")).to_have_count(1)
        await form.get_by_label("Name", exact=True).fill("Too warm")
        await form.get_by_label("Severity").select_option("4")
        await form.get_by_role("combobox", name="Value", exact=True).fill("temperature")
        await form.get_by_label("Limit").fill("30")
        await form.get_by_role("button", name="Add the rule").click()
        await expect(page.locator("#rules summary")).to_contain_text("Too warm temperature above 30")
        await home.measured("oven", token, temperature=31)
        await eventually(home.has_alert)
        await page.reload()
        await expect(page.locator("#open-alerts h3")).to_contain_text("oven reports temperature 31")
        await expect(page.locator("#open-alerts")).to_contain_text("high")


async def test_the_form_makes_rules_of_the_other_kinds_too(home: Home) -> None:
    async with browsing(f"{home.page}/#alerts") as opened:
        page, form = opened.page, opened.page.locator("#rule-form")
        await page.get_by_text("Add a rule", exact=True).click()
        for kind, name in (("NO_TELEMETRY", "Silent"), ("NO_HEARTBEAT", "Gone")):
            await form.get_by_label("Watch").select_option(kind)
            await form.get_by_label("Name", exact=True).fill(name)
            await form.get_by_label("For", exact=True).fill("2")
            await form.get_by_label("Unit").select_option("hours")
            await form.get_by_role("button", name="Add the rule").click()
            await expect(page.locator("#rules summary", has_text=name)).to_be_visible()
        await form.get_by_label("Watch").select_option("INSIGHT")
        await form.get_by_label("Name", exact=True).fill("Batteries")
        await form.get_by_label("battery").check()
        await form.get_by_role("button", name="Add the rule").click()
        await expect(page.locator("#rules summary", has_text="Batteries battery")).to_be_visible()
        assert opened.complaints == []
    rules = {rule["name"]: rule for rule in (await home.asked("alert-rules"))["alert_rules"]}
    assert (rules["Silent"]["kind"], rules["Silent"]["silence_s"]) == ("NO_TELEMETRY", 7_200)
    assert (rules["Gone"]["kind"], rules["Gone"]["silence_s"]) == ("NO_HEARTBEAT", 7_200)
    assert rules["Batteries"]["finding_kinds"] == ["battery"]


async def test_an_alert_is_acknowledged_silenced_and_cleared(alerted: Home) -> None:
    async with browsing(f"{alerted.page}/#alerts") as opened:
        page, alert = opened.page, opened.page.locator("#open-alerts article")
        await alert.get_by_role("button", name="Seen", exact=True).click()
        await expect(alert.get_by_role("button", name="Not seen yet")).to_be_visible()
        await alert.get_by_text("Tell nobody for a while").click()
        await alert.get_by_role("button", name="Silence").click()
        await expect(alert).to_contain_text("nobody is told until")
        await alert.get_by_role("button", name="End the silence").click()
        await expect(alert).not_to_contain_text("nobody is told until")
        await alert.get_by_role("button", name="Clear").click()
        await expect(page.locator("#open-alerts")).to_contain_text("None:")
        await expect(page.locator("#past-alerts > details")).to_have_count(1)
        assert opened.complaints == []


async def test_a_rule_is_switched_off_and_deleted_after_a_question_and_its_alert_is_over(alerted: Home) -> None:
    async with browsing(f"{alerted.page}/#alerts") as opened:
        page, rule = opened.page, opened.page.locator("#rules details")
        await rule.locator("summary").click()
        await rule.get_by_role("button", name="Switch off").click()
        await _confirm(page, "Switch off")
        await expect(rule.locator("summary")).to_contain_text("switched off")
        await expect(page.locator("#open-alerts")).to_contain_text("None:")
        await rule.get_by_role("button", name="Delete").click()
        await _confirm(page, "Delete")
        await expect(rule).to_have_count(0)


async def test_a_place_is_added_with_its_route_tested_switched_off_and_deleted(home: Home) -> None:
    async with browsing(f"{home.page}/#alerts") as opened:
        page, form = opened.page, opened.page.locator("#destination-form")
        places = page.locator("#destinations tbody tr")
        await page.get_by_text("Add a place", exact=True).click()
        await form.get_by_label("Send by").select_option("mqtt")
        await form.get_by_label("Name", exact=True).fill("Broker")
        await form.get_by_label("low").check()
        await form.get_by_role("button", name="Add the place").click()
        await expect(places).to_contain_text(["critical, high, medium, low"])
        await places.get_by_role("button", name="Test").click()
        await expect(places.get_by_role("status")).to_contain_text("It works")
        await places.get_by_role("button", name="Switch off").click()
        await expect(places).to_contain_text(["switched off"])
        await places.get_by_role("button", name="Delete").click()
        await _confirm(page, "Delete")
        await expect(places).to_have_count(0)
        assert opened.complaints == []
    assert (await home.asked("routes"))["routes"] == []


async def test_the_secret_of_a_webhook_is_shown_once_and_a_test_that_fails_tells_why(home: Home) -> None:
    async with browsing(f"{home.page}/#alerts") as opened:
        page, form = opened.page, opened.page.locator("#destination-form")
        await page.get_by_text("Add a place", exact=True).click()
        await form.get_by_label("Name", exact=True).fill("Hook")
        await form.get_by_label("Address", exact=True).fill("http://127.0.0.1:9/hook")
        await form.get_by_role("button", name="Add the place").click()
        await expect(page.locator("#destination-secret code")).to_contain_text("whsec_")
        assert await opened.barriers() == []
        await page.get_by_role("button", name="I have kept it").click()
        await page.locator("#destinations").get_by_role("button", name="Test").click()
        await expect(page.locator("#destinations").get_by_role("status")).to_contain_text("webhook_allow")
        await page.reload()
        await page.locator("#destinations tr").first.wait_for()
        assert "whsec_" not in await page.content()


async def test_what_could_not_be_told_is_sent_again_and_given_up(alerted: Home) -> None:
    async with browsing(f"{alerted.page}/#alerts") as opened:
        page, failed = opened.page, opened.page.locator("#failed-deliveries")
        await expect(failed).to_contain_text("webhook_allow")
        await failed.locator("details > summary").click()
        await failed.get_by_role("button", name="Send it again").click()
        await expect(failed).to_contain_text("Nothing:")

        async def is_given_up() -> bool:
            return bool((await alerted.asked("deliveries?state=DEAD"))["deliveries"])

        await eventually(is_given_up)
        await page.reload()
        await failed.locator("details > summary").click()
        await failed.get_by_role("button", name="Give up").click()
        await _confirm(page, "Give up")
        await expect(failed).to_contain_text("Nothing:")
        assert opened.complaints == []
    assert (await alerted.asked("deliveries?state=DEAD"))["deliveries"] == []
