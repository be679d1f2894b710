"""Home Assistant's own influxdb integration writes through HomeIQ, whose own integration is not set up here."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from homeiq_demo.configuration import write_configuration
from homeiq_demo.home import Home
from homeiq_demo.home_assistant import HomeAssistant
from homeiq_demo.laws import laws
from homeiq_demo.process import free_port, wait_for
from homeiq_demo.server import Server
from tests.e2e.probe import PROBE, Json, Probe, moment_ms

DOMAIN = "influxdb"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Home]:
    folder = tmp_path_factory.mktemp("home")
    api, page, port = (free_port(0) for _ in range(3))
    write_configuration(
        folder / "hass", port=port, name="Home of core", integrations=("probe",), custom_components=PROBE
    )
    options = {"HOMEIQ_INGRESS_PORT": str(page)}
    async with (
        Server(folder / "server", port=api, log=folder / "server.log", options=options) as server,
        HomeAssistant(folder / "hass", port=port, log=folder / "hass.log") as home_assistant,
    ):
        await asyncio.gather(server.start(), home_assistant.start())
        yield Home(folder, server, home_assistant, f"http://127.0.0.1:{page}")


@pytest.fixture
def probe(home: Home) -> Probe:
    return Probe(home)


def answers(server: Server, version: int) -> Json:
    """Return what a user answers to the form of a version."""
    if version == 1:
        login = {"username": "anybody", "password": server.token, "database": "home_assistant"}
        return {"url": server.url, "verify_ssl": False, **login}
    return {
        "url": server.url,
        "verify_ssl": False,
        "organization": "home",
        "bucket": "Home Assistant",
        "token": server.token,
    }


async def set_up(home: Home, version: int, given: Json) -> Json:
    """Go through the integration's own flow, and return its last step."""
    path = "/api/config/config_entries/flow"
    rest = home.home_assistant.rest
    step = await rest.post(path, {"handler": DOMAIN})
    step = await rest.post(f"{path}/{step['flow_id']}", {"next_step_id": f"configure_v{version}"})
    step = await rest.post(f"{path}/{step['flow_id']}", given)
    return dict(step)


@pytest.mark.parametrize("version", [1, 2])
async def test_its_points_are_in_the_database(home: Home, probe: Probe, version: int) -> None:
    step = await set_up(home, version, answers(home.server, version))
    assert step["type"] == "create_entry", step
    sensor, climate = f"sensor.by_v{version}", f"climate.by_v{version}"

    number = await probe.set(sensor, "21.5", unit_of_measurement="°C", friendly_name='The "small" one')
    heat = await probe.set(climate, "heat", current_temperature=20)
    off = await probe.set(climate, "off", current_temperature=21)

    assert await probe.value_at(number, "°C_value") == 21.5
    assert await probe.value_at(off, f"{climate}_current_temperature") == 21
    ended = await probe.stored(climate, f"{climate}_state", state="heat")
    assert ended == {moment_ms(heat): 1, moment_ms(off): 0}

    [entry] = await home.home_assistant.entries(DOMAIN)
    await home.home_assistant.remove_entry(entry["entry_id"])


async def test_its_lines_are_counted_and_both_laws_hold(home: Home) -> None:
    async def drained() -> Json | None:
        status = await home.server.status()
        return None if status["lines"]["queued"] else status

    status = await wait_for("the server to write what it holds", drained)
    assert status["intake"]["line_protocol"]["received"] >= 6
    assert set(status["intake"]) <= {"line_protocol", "own"}
    assert status["lines"]["dead"] == 0
    assert [str(law) for law in laws(status) if not law.holds] == []


@pytest.mark.parametrize("version", [1, 2])
async def test_a_wrong_password_is_shown_as_what_it_is(home: Home, version: int) -> None:
    secret = {1: "password", 2: "token"}[version]
    step = await set_up(home, version, answers(home.server, version) | {secret: "wrong"})

    assert step["type"] == "form"
    assert step["errors"] == {"base": "invalid_auth"}
