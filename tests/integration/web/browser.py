"""A real browser on the machine's own Chromium."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
# A missing <main> in a frame of Home Assistant and the like are matters of taste; these two are not.
_SERIOUS = ("serious", "critical")


def program() -> str | None:
    """Return the browser of this machine, None when it has none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@dataclass
class Opened:
    """A page, and what the browser complained of."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    async def texts(self, selector: str) -> list[str]:
        """Return the texts of all visible elements of a kind."""
        found: list[str] = await self.page.locator(f"{selector}:visible").all_inner_texts()
        return found

    async def overhang(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        wide: int = await self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return max(0, wide)

    async def barriers(self) -> list[str]:
        """Return what keeps people out who cannot see or point, by the rules of axe."""
        results: Any = await Axe().run(self.page)
        return [
            f"{violation['id']}: {violation['nodes'][0]['html'][:200]}"
            for violation in results.response["violations"]
            if violation["impact"] in _SERIOUS
        ]


@asynccontextmanager
async def browsing(
    url: str, *, width: int = 1_000, colors: Literal["light", "dark"] = "light"
) -> AsyncIterator[Opened]:
    """Open a page in a browser of its own, as root too."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": width, "height": 900}, color_scheme=colors)
        opened = Opened(page)
        page.on("console", lambda said: opened.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda err: opened.complaints.append(str(err)))
        try:
            await page.goto(url)
            yield opened
        finally:
            await browser.close()
