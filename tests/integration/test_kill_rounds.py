"""The server and its database are killed -9 again and again, and everything that was acknowledged is in the database.

The same rounds as ``bench/kill`` runs a thousand of.
"""

import sys
import time
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(_ROOT / "bench"), str(_ROOT / "scripts")]

from homeiq_bench import database, influxd  # noqa: E402  found through the line above
from homeiq_bench.numbered import Numbering  # noqa: E402
from homeiq_bench.rounds import KillRounds, Storage  # noqa: E402
from homeiq_bench.storages import EmbeddedVictoriaMetrics, FailingInflux, RealInfluxDB  # noqa: E402

pytestmark = pytest.mark.timeout(600)

SEED = 3
DAY_S = 86_400
LINES_A_REQUEST = 5_000


def kill_rounds(folder: Path, storage: Storage) -> KillRounds:
    numbering = Numbering((round(time.time()) - DAY_S) * 1_000_000)
    return KillRounds(folder, storage, seed=SEED, numbering=numbering)


async def test_no_acknowledged_event_is_lost_in_25_kills_while_the_database_fails(tmp_path: Path) -> None:
    with FailingInflux(tmp_path / "influx") as influx:
        outcome = await kill_rounds(tmp_path, influx).run(25)
    assert outcome.broken == []
    assert outcome.lost == 0
    assert outcome.acknowledged > 0
    # A round ends the server at most twice and the database once; each costs at most the request that was on its way.
    assert outcome.again <= 25 * 3 * LINES_A_REQUEST


@pytest.mark.skipif(not database.PROGRAM.exists(), reason="there is no victoria-metrics here: scripts/setup brings it")
async def test_an_embedded_database_that_is_killed_too_holds_every_acknowledged_event_once(tmp_path: Path) -> None:
    outcome = await kill_rounds(tmp_path, EmbeddedVictoriaMetrics()).run(4)
    assert outcome.broken == []
    assert (outcome.lost, outcome.again) == (0, 0)
    assert outcome.acknowledged > 0


@pytest.mark.skipif(not influxd.PROGRAM.exists(), reason="there is no InfluxDB 1 here: scripts/setup brings it")
async def test_a_real_influxdb_that_is_killed_too_holds_every_acknowledged_event_once(tmp_path: Path) -> None:
    with RealInfluxDB(tmp_path / "influxdb") as storage:
        outcome = await kill_rounds(tmp_path, storage).run(4)
    assert outcome.broken == []
    assert (outcome.lost, outcome.again) == (0, 0)
    assert outcome.acknowledged > 0
