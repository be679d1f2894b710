"""Without device ingest there is nothing of it, neither in Home Assistant nor in the server."""

import pytest

from homeiq_demo.home import Home
from homeiq_demo.process import DemoError

pytestmark = pytest.mark.usefixtures("laws_hold", "quiet_log")


async def test_a_home_whose_devices_may_not_send_has_nothing_that_is_for_these(home: Home) -> None:
    status = await home.server.status()
    states = {state["entity_id"] for state in await home.home_assistant.states()}

    assert status["ingest"] is None
    assert "telemetry" not in status["intake"]
    assert "event.homeiq_finding" in states
    assert "event.homeiq_alert" not in states


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/ingest/v1/tenant/home/device/meter-1/telemetry"),
        ("GET", "/tenant/v1/device-states"),
        ("POST", "/tenant/v1/devices"),
        ("GET", "/operator/v1/tenants"),
    ],
)
async def test_its_routes_answer_with_what_to_do(home: Home, method: str, path: str) -> None:
    with pytest.raises(DemoError, match=r"404 .*set the option ingest to on"):
        await home.server.ask(method, path, {"metrics": {"power": 1}})
