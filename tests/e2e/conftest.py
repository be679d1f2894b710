"""One real home for all end-to-end tests: Home Assistant, the server and its embedded database."""

import inspect
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from homeiq_demo.home import Home, open_home  # noqa: E402  found through the line above
from homeiq_demo.laws import laws  # noqa: E402
from tests.e2e.probe import PROBE, Probe, complaints  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let all tests of this folder share the loop that their servers run on."""
    for item in items:
        if (
            HERE in item.path.parents
            and isinstance(item, pytest.Function)
            and inspect.iscoroutinefunction(item.function)
        ):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that other users can enter, unlike pytest's own: PostgreSQL does not run as root, should we do so."""
    with tempfile.TemporaryDirectory(prefix="homeiq-home-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def home(open_folder: Path) -> AsyncIterator[Home]:
    async with open_home(
        open_folder, name="Test home", integrations=("demo", "probe"), custom_components=PROBE
    ) as opened:
        yield opened


@pytest.fixture
def probe(home: Home) -> Probe:
    return Probe(home)


@pytest_asyncio.fixture(loop_scope="session")
async def laws_hold(home: Home) -> AsyncIterator[None]:
    """Both laws hold when the test has ended."""
    yield
    assert [str(law) for law in laws(await home.server.status()) if not law.holds] == []


@pytest.fixture
def expected_complaints() -> list[str]:
    """Beginnings of the warnings that the test provokes, to be filled by it."""
    return []


@pytest.fixture
def quiet_log(home: Home, expected_complaints: list[str]) -> Iterator[None]:
    """Home Assistant's log has no warning or error that concerns HomeIQ but those that the test provoked."""
    log = home.home_assistant.process.log
    begin = log.stat().st_size
    yield
    assert complaints(log.read_bytes()[begin:].decode(), expected=expected_complaints) == []
