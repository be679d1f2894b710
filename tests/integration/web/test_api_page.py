"""The page about the API, in a real browser."""

import pytest
from playwright.async_api import expect

from tests.integration.web.browser import browsing, program
from tests.integration.web.sending import Home

pytestmark = pytest.mark.skipif(program() is None, reason="there is no Chromium here: install the package chromium")


async def test_it_lists_every_operation_of_the_document(home: Home) -> None:
    document = await home.asked("openapi.json")
    all_of_it = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    async with browsing(f"{home.page}/api.html") as opened:
        await expect(opened.page.locator(".request")).to_have_count(len(all_of_it))
        assert set(await opened.page.locator(".request > summary > code").all_inner_texts()) == all_of_it
        assert opened.complaints == []


@pytest.mark.parametrize("width", [1_000, 360])
async def test_it_has_no_barriers_and_no_overhang_with_a_request_unfolded(home: Home, width: int) -> None:
    async with browsing(f"{home.page}/api.html", width=width) as opened:
        requests = opened.page.locator(".request")
        await requests.filter(has_text="POST /tenant/v1/alert-rules").locator("summary").click()
        await expect(requests.get_by_text("curl").locator("visible=true")).to_have_count(1)
        assert await opened.barriers() == []
        assert await opened.overhang() == 0


async def test_requests_are_searched(home: Home) -> None:
    async with browsing(f"{home.page}/api.html") as opened:
        page = opened.page
        await page.locator(".request").first.wait_for()
        await page.get_by_label("Search").fill("provisioning-key")
        await expect(page.locator(".request:visible")).to_have_count(2)
        await expect(page.locator("#found")).to_have_text("2 found.")
        await expect(page.locator(".noun:visible")).to_have_count(1)
