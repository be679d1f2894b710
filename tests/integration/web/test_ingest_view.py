"""The view of devices that send, in a real browser, on the real API with PostgreSQL and Mosquitto."""

import re
from http import HTTPStatus
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
async def full(home: Home) -> Home:
    """A home with a device that measures, one with a hostile name, and refused messages of both."""
    await home.measured("porch", await home.device("porch", name="Porch", heartbeat_s=60), temperature=21.5, relay=True)
    token = await home.device("hostile", name=HOSTILE)
    await home.measured("hostile", token, mode=HOSTILE)
    await home.sent("hostile", token, HOSTILE.encode())
    await home.measured("hostile", token, **{HOSTILE: 1})
    await eventually(home.has_counted)
    return home


@pytest.mark.parametrize(("width", "colors"), [(1_000, "light"), (360, "dark")])
async def test_it_opens_without_complaints_barriers_and_overhang_unfolded_too(
    full: Home, width: int, colors: Literal["light", "dark"]
) -> None:
    async with browsing(f"{full.page}/#ingest", width=width, colors=colors) as opened:
        page = opened.page
        await expect(page.locator("#ingest-devices details")).to_have_count(2)
        await expect(page.locator("#usage svg")).to_be_visible()
        for folded in await page.locator("main#ingest details:visible > summary").all():
            await folded.click()
        await expect(page.locator("#refused article").first).to_be_visible()

        assert opened.complaints == []
        assert await opened.barriers() == []
        assert await opened.overhang() == 0


async def test_names_values_and_refused_messages_are_shown_as_text_never_as_markup(full: Home) -> None:
    async with browsing(f"{full.page}/#ingest") as opened:
        page = opened.page
        await expect(page.locator("#ingest-devices")).to_contain_text(HOSTILE)
        await page.locator("#refused summary", has_text="is no JSON").click()
        await expect(page.locator("#refused pre")).to_contain_text(HOSTILE)
        await page.locator("#ingest-devices summary", has_text=HOSTILE).click()
        await expect(page.locator("#ingest-devices details[open] table")).to_contain_text(HOSTILE)
        assert await page.locator("img").count() == 0
        assert opened.complaints == []


async def test_an_empty_home_is_told_what_to_do_first_and_the_token_of_a_new_device_is_shown_once(home: Home) -> None:
    async with browsing(f"{home.page}/#ingest") as opened:
        page = opened.page
        await page.get_by_text("No device sends yet. Add one above").wait_for()
        await page.get_by_label("Id", exact=True).fill("porch-lamp")
        await page.locator("#ingest-add").get_by_label("Name", exact=True).fill("Porch lamp")
        await page.get_by_role("button", name="Add the device").click()
        await expect(page.get_by_role("heading", name="The token of porch-lamp")).to_be_focused()
        token = await page.locator("#ingest-secret code").first.inner_text()
        await expect(page.locator("#ingest-secret")).to_contain_text("mosquitto_pub")
        await expect(page.locator("#ingest-secret")).to_contain_text("curl")
        await expect(page.locator("#ingest-devices")).to_contain_text("has not sent anything yet")
        assert await opened.barriers() == []

        await page.get_by_role("button", name="Copy token").click()
        await expect(page.locator("#ingest-secret")).to_contain_text("Copied.")
        await page.get_by_role("button", name="I have kept it").click()
        await expect(page.locator("#ingest-secret")).to_be_empty()
        assert token not in await page.content()
    assert await home.sent("porch-lamp", token, {"metrics": {"temperature": 21.5}}) == HTTPStatus.ACCEPTED


async def test_a_device_that_is_there_already_is_an_error_in_words_beside_the_button(home: Home) -> None:
    await home.device("porch")
    async with browsing(f"{home.page}/#ingest") as opened:
        page = opened.page
        await page.get_by_text("Add a device", exact=True).click()
        await page.get_by_label("Id", exact=True).fill("porch")
        await page.get_by_role("button", name="Add the device").click()
        await expect(page.locator("#ingest-add").get_by_role("alert")).to_contain_text("That did not work")
        await expect(page.get_by_label("Id", exact=True)).to_have_value("porch")


async def test_devices_are_searched_and_listed_by_their_state(home: Home) -> None:
    for number in range(30):
        await home.device(f"lamp-{number:02}")
    await home.made("devices", device_id="waiting")
    async with browsing(f"{home.page}/#ingest") as opened:
        page, rows = opened.page, opened.page.locator("#ingest-devices details")
        await expect(rows).to_have_count(25)
        await page.locator("main#ingest").get_by_role("button", name="Show more").click()
        await expect(rows).to_have_count(31)
        await page.locator("#ingest-filter").get_by_label("Search").fill("lamp-07")
        await expect(rows).to_have_text([re.compile("lamp-07")])
        await page.locator("#ingest-filter").get_by_label("Search").fill("")
        await page.get_by_label("State").select_option("PENDING")
        await expect(rows).to_have_text([re.compile("waiting")])


async def test_a_device_is_shut_out_taken_in_again_given_a_new_token_and_deleted_each_after_a_question(
    home: Home,
) -> None:
    token = await home.device("porch")
    async with browsing(f"{home.page}/#ingest") as opened:
        page, device = opened.page, opened.page.locator("#ingest-devices details")
        await device.locator("summary").click()
        await device.get_by_role("button", name="Shut out").click()
        await page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        await expect(page.get_by_role("dialog")).to_have_count(0)
        assert await home.sent("porch", token, {}) == HTTPStatus.ACCEPTED

        await device.get_by_role("button", name="Shut out").click()
        await _confirm(page, "Shut out")
        await expect(device.locator("summary")).to_contain_text("is shut out")
        assert await home.sent("porch", token, {}) >= HTTPStatus.BAD_REQUEST

        await device.get_by_role("button", name="Take in again").click()
        await _confirm(page, "Take in again")
        await device.get_by_role("button", name="New token").click()
        await _confirm(page, "New token")
        await page.get_by_role("heading", name="The token of porch").wait_for()
        renewed = await page.locator("#ingest-secret code").first.inner_text()
        assert await home.sent("porch", renewed, {}) == HTTPStatus.ACCEPTED

        await device.get_by_role("button", name="Delete").click()
        await _confirm(page, "Delete")
        await expect(device).to_have_count(0)
        assert opened.complaints == []


async def test_devices_register_themselves_once_there_is_a_key_and_that_is_switched_on(home: Home) -> None:
    async with browsing(f"{home.page}/#ingest") as opened:
        page = opened.page
        switch = page.get_by_label("Devices that show the key")
        await expect(switch).to_be_disabled()
        await page.get_by_role("button", name="Make a key").click()
        key = await page.locator("#registration-secret code").first.inner_text()
        await expect(switch).to_be_enabled()
        await switch.check()
        await expect(page.get_by_role("button", name="Delete the key")).to_be_visible()
        await expect(switch).to_be_checked()
        assert await home.sent("of-itself", key, {"metrics": {"temperature": 20}}) == HTTPStatus.ACCEPTED

        await page.get_by_role("button", name="Delete the key").click()
        await _confirm(page, "Delete the key")
        await expect(switch).to_be_disabled()
        assert opened.complaints == []


async def test_refused_messages_are_replayed_once_the_cause_is_mended_and_given_up_else(home: Home) -> None:
    token = await home.device("porch")
    await home.made("devices/porch/suspend")
    for value in (20, 21):
        await home.sent("porch", token, {"metrics": {"temperature": value}})
    await home.sent("porch", token, b"{")
    async with browsing(f"{home.page}/#ingest") as opened:
        page = opened.page
        await page.locator("#refused summary", has_text="The device is resting").click()
        await expect(page.locator("#refused article")).to_have_count(2)
        await page.get_by_role("button", name="Replay all 2").click()
        await expect(page.locator("#refused-outcome")).to_contain_text("2 refused once more: The device is resting")

        await page.locator("#ingest-devices summary").click()
        await page.get_by_role("button", name="Take in again").click()
        await _confirm(page, "Take in again")
        await expect(page.locator("#ingest-devices summary")).not_to_contain_text("is resting")
        await page.get_by_role("button", name="Replay all 2").click()
        await expect(page.locator("#refused-outcome")).to_contain_text("2 messages accepted")

        await page.locator("#refused summary", has_text="is no JSON").click()
        await page.locator("#refused article").get_by_role("button", name="Give up").click()
        await _confirm(page, "Give up")
        await expect(page.locator("#refused")).to_contain_text("None:")
        assert opened.complaints == []
    assert (await home.asked("quarantine/summary"))["messages"] == 0


async def test_a_broker_that_does_not_answer_is_told_with_what_to_do(home_without_broker: Home) -> None:
    async with browsing(f"{home_without_broker.page}/#ingest") as opened:
        await expect(opened.page.locator("#ingest-broker")).to_contain_text("does not answer")
        await expect(opened.page.locator("#ingest-remedy")).to_contain_text("Check that the broker runs")
        assert await opened.barriers() == []


async def test_words_for_operators_are_not_shown_to_a_home(full: Home) -> None:
    async with browsing(f"{full.page}/#ingest") as opened:
        await opened.page.locator("#refused details").first.wait_for()
        told = (await opened.page.locator("body").inner_text()).lower()
        assert not [word for word in ("tenant", "subscription", "quarantine") if word in told]
