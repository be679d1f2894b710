"""Those who ask page by page, our own page and the integration, ask for no more than is given."""

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from homeiq_server.api.parameters import PageSize
from homeiq_server.history.spool.tables.dead_query import MAX_LISTED

ROOT = Path(__file__).resolve().parents[4]
PAGE = sorted((ROOT / "addon/homeiq_server/web").glob("*.js"))
INTEGRATION = [ROOT / "custom_components/homeiq" / name for name in ("ingest_client.py", "store_client.py")]
ASKED = re.compile(r"\blimit\s*[:=]\s*(?:\"?str\()?(?:Math\.min\()?([A-Z_][A-Z_0-9]*|\d+)")
_GIVEN = next(each for each in get_args(PageSize.__value__) if isinstance(each, msgspec.Meta)).le
MOST = min(int(_GIVEN or 0), MAX_LISTED)


def sizes(path: Path) -> list[int]:
    """Return how many of something a file asks for at once, at each place where it does."""
    text = path.read_text()
    if path.suffix == ".py":
        text = text.replace('"limit": ', "limit=")
    asked: list[int] = []
    for name in ASKED.findall(text):
        value = name if name.isdigit() else constant(text, name)
        asked.append(int(value))
    return asked


def constant(text: str, name: str) -> str:
    found = re.search(rf"\b{name}(?:: Final)?\s*=\s*([\d_]+)", text)
    assert found, name
    return found[1].replace("_", "")


@pytest.mark.parametrize("path", [*PAGE, *INTEGRATION], ids=lambda path: path.name)
def test_no_more_is_asked_for_than_is_given(path: Path) -> None:
    assert [size for size in sizes(path) if not 1 <= size <= MOST] == []


def test_the_places_that_ask_are_found() -> None:
    assert MOST >= 100
    assert sum(len(sizes(path)) for path in PAGE) >= 10
    assert all(sizes(path) for path in INTEGRATION)
