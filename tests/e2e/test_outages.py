"""Nothing is lost and nothing changes its order, whatever stops in between."""

from pathlib import Path

import pytest

from homeiq_demo.home import Home, open_home
from homeiq_demo.laws import laws
from homeiq_demo.process import wait_for
from tests.e2e.probe import PROBE, Probe, complaints

AWAY = ("HomeIQ does not take events", "Error fetching HomeIQ")


async def received(home: Home) -> int:
    status = await home.server.status()
    return int(status["intake"].get("events", {}).get("received", 0))


@pytest.mark.usefixtures("laws_hold", "quiet_log")
async def test_a_burst_of_10000_changes_arrives_whole_and_in_order(home: Home, probe: Probe) -> None:
    before = await received(home)
    rows = await probe.burst("sensor.e2e_burst", count=10_000, entities=10)

    await probe.all_stored(rows)
    assert await received(home) >= before + 10_000
    for entity_id in {row["entity_id"] for row in rows}:
        values = list((await probe.stored(entity_id, "%_value")).values())
        assert values == sorted(values)


@pytest.mark.usefixtures("laws_hold", "quiet_log")
async def test_a_restart_of_the_server_loses_nothing(home: Home, probe: Probe, expected_complaints: list[str]) -> None:
    expected_complaints.extend(AWAY)
    rows = await probe.burst("sensor.e2e_restart_before", count=2_000, entities=10)
    exit_code = await home.server.process.stop(timeout_s=10)
    rows += await probe.burst("sensor.e2e_restart_between", count=2_000, entities=10)
    await home.server.start()
    rows += await probe.burst("sensor.e2e_restart_after", count=2_000, entities=10)

    await probe.all_stored(rows)
    assert exit_code == 0


@pytest.mark.usefixtures("laws_hold", "quiet_log")
async def test_a_server_killed_with_events_it_has_acknowledged_loses_nothing(
    home: Home, probe: Probe, expected_complaints: list[str]
) -> None:
    expected_complaints.extend(AWAY)
    before = await received(home)
    rows = await probe.burst("sensor.e2e_killed_before", count=2_000, entities=10)

    async def acknowledged() -> bool:
        return await received(home) > before + 500

    await wait_for("the server to acknowledge some of the burst", acknowledged)
    await home.server.process.kill()
    rows += await probe.burst("sensor.e2e_killed_between", count=2_000, entities=10)
    await home.server.start()

    await probe.all_stored(rows)


async def test_what_waits_when_home_assistant_stops_arrives_in_its_last_flush(tmp_path: Path) -> None:
    async with open_home(tmp_path, name="Short home", integrations=("probe",), custom_components=PROBE) as home:
        probe = Probe(home)
        rows = await probe.burst("sensor.e2e_last", count=1_000, entities=10)
        exit_code = await home.home_assistant.stop()

        await probe.all_stored(rows)
        assert exit_code == 0
        assert complaints(home.home_assistant.process.log.read_text()) == []
        assert [str(law) for law in laws(await home.server.status()) if not law.holds] == []
