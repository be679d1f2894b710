"""What the live events could not bring comes out of the recorder: real programs, really killed.

Each test compares the recorder's own file with the database, by entity, value and millisecond.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from homeiq_demo.configuration import write_configuration
from homeiq_demo.database import EmbeddedVictoriaMetrics
from homeiq_demo.home import Home, connect, open_home
from homeiq_demo.home_assistant import HomeAssistant
from homeiq_demo.laws import laws
from homeiq_demo.process import DemoError, free_port, wait_for
from homeiq_demo.rest import Json
from homeiq_demo.server import Server
from tests.e2e.probe import PROBE, Probe
from tests.e2e.recorder_file import EPOCH, all_committed_stored, committed

DAY_S = 86_400.0


async def has_committed(home: Home, prefix: str, count: int) -> None:
    """Wait until the recorder has written so many states of the entities."""

    async def enough() -> bool:
        return len(committed(home, f"{prefix}%")) >= count

    await wait_for(f"the recorder to commit {count} states of {prefix}", enough, deadline_s=60)


async def assert_lawful(home: Home) -> None:
    assert [str(law) for law in laws(await home.server.status()) if not law.holds] == []


@contextlib.asynccontextmanager
async def a_home(folder: Path) -> AsyncIterator[tuple[Home, Probe, datetime]]:
    """Open a home; return it, its probe, and since when HomeIQ is there."""
    async with open_home(folder, name="Lossy home", integrations=("probe",), custom_components=PROBE) as home:
        yield home, Probe(home), datetime.now(UTC)


async def test_an_app_killed_for_longer_than_the_buffer_holds_gets_the_rest_out_of_the_recorder(
    tmp_path: Path,
) -> None:
    async with a_home(tmp_path) as (home, probe, since):
        await probe.all_stored(await probe.burst("sensor.e2e_before", count=100, entities=5))
        await probe.hold_at_most(200)
        await home.server.process.kill()
        await probe.tick("sensor.e2e_away", count=2_000, entities=10)
        await home.server.start()
        await has_committed(home, "sensor.e2e_away", 2_000)

        comparison = await all_committed_stored(home, since)
        assert comparison.compared > 2_000
        await assert_lawful(home)


async def test_home_assistant_stopped_while_the_app_is_away_loses_nothing(tmp_path: Path) -> None:
    async with a_home(tmp_path) as (home, probe, since):
        await probe.all_stored(await probe.burst("sensor.e2e_before", count=100, entities=5))
        await home.server.process.kill()
        await probe.tick("sensor.e2e_stopped", count=1_000, entities=10)
        await home.home_assistant.stop()
        assert len(committed(home, "sensor.e2e_stopped%")) == 1_000
        await home.server.start()
        await home.home_assistant.start()

        comparison = await all_committed_stored(home, since)
        assert comparison.compared > 1_000
        await assert_lawful(home)


async def test_every_event_that_a_killed_home_assistant_has_recorded_is_in_the_database(tmp_path: Path) -> None:
    async with a_home(tmp_path) as (home, probe, since):
        await probe.all_stored(await probe.burst("sensor.e2e_before", count=100, entities=5))
        assert home.server.process.pid is not None
        os.kill(home.server.process.pid, signal.SIGSTOP)  # it takes nothing, and nobody knows that yet
        await probe.tick("sensor.e2e_killed", count=1_000, entities=10)
        await has_committed(home, "sensor.e2e_killed", 1_000)
        going_on = asyncio.ensure_future(probe.tick("sensor.e2e_last", count=5_000, entities=10))
        await has_committed(home, "sensor.e2e_last", 1)
        await home.home_assistant.process.kill()
        with contextlib.suppress(DemoError):
            await going_on
        os.kill(home.server.process.pid, signal.SIGCONT)
        await home.home_assistant.start()

        comparison = await all_committed_stored(home, since)
        assert comparison.compared > 1_000
        await assert_lawful(home)


async def test_days_that_the_recorder_had_before_homeiq_are_brought_in_on_demand(tmp_path: Path) -> None:
    """Home Assistant has lived for five days when HomeIQ is installed."""
    start = float(int((time.time() - 5 * DAY_S) / 3_600) * 3_600)
    port = free_port()
    write_configuration(
        tmp_path / "home-assistant", port=port, name="Old home", integrations=("probe",), custom_components=PROBE
    )
    options = {"HOMEIQ_INGRESS_PORT": str(free_port())}
    async with (
        Server(tmp_path / "server", port=free_port(), log=tmp_path / "server.log", options=options) as server,
        HomeAssistant(tmp_path / "home-assistant", port=port, log=tmp_path / "home-assistant.log") as home_assistant,
    ):
        home = Home(tmp_path, server, home_assistant, "")
        probe = Probe(home)
        await home_assistant.start()
        rows = await probe.live_through("sensor.e2e_old", start=start, step_s=600, count=700, entities=3)
        await probe.keep_statistics("sensor.e2e_old_0", start=start, hours=100)
        await has_committed(home, "sensor.e2e_old", len(rows))
        await server.start()
        await connect(home)
        report = await home_assistant.ask("homeiq", "backfill")
        hours = await home_assistant.ask("homeiq", "import_statistics", statistic_ids=["sensor.e2e_old_0"])

        assert report["accepted"] == report["sent"] >= len(rows)
        assert (await all_committed_stored(home, EPOCH, "sensor.e2e_old%")).compared == len(rows)
        again = await home_assistant.ask("homeiq", "backfill")
        assert (again["sent"], again["skipped_covered"] >= len(rows)) == (0, True)
        assert hours["accepted"] == 100
        assert await stored_hours(home, "sensor.e2e_old_0") == 100
        await assert_lawful(home)


async def stored_hours(home: Home, statistic_id: str) -> int:
    """Return how many hours of a statistic the database has, once it has any."""

    async def look() -> list[Json]:
        found = await EmbeddedVictoriaMetrics(home.server).export(f'statistic_id="{statistic_id}"')
        return [one for one in found if one["metric"]["__name__"] == "homeiq_statistics_mean"]

    [series] = await wait_for(f"statistics of {statistic_id}", look)
    return len(series["timestamps"])
