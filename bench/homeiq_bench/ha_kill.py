"""Home Assistant and the app killed -9 in turn: what Home Assistant's recorder holds and the database does not.

A real Home Assistant changes 100 states a second with its recorder on; the app runs with its embedded database. At the
end every state that the recorder has committed must be in the database, by entity, value and millisecond.
"""

import argparse
import asyncio
import contextlib
import json
import random
import sqlite3
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from homeiq_bench import home_assistant
from homeiq_bench.home_assistant import DRIVE
from homeiq_bench.report import arguments, finish, say
from homeiq_demo.comparison import Comparison, compare
from homeiq_demo.database import EmbeddedVictoriaMetrics
from homeiq_demo.home import Home, open_home
from homeiq_demo.laws import laws
from homeiq_demo.process import DemoError, wait_for
from homeiq_server import VERSION

_RATE: Final = 100
_ROUNDS, _QUICK_ROUNDS = 20, 3
_LIVES_S, _AWAY_S = (1.0, 6.0), (0.0, 3.0)
_BOTH: Final = 0.4  # part of the rounds in which the other one is killed too
_SETTLED_WITHIN_S: Final = 300
_DRAINED_WITHIN_S: Final = 60
_STORED: Final = {"core.config_entries": '"domain":"homeiq"', "auth": '"users"', "auth_provider.homeassistant": "demo"}
_STATES: Final = """
    SELECT m.entity_id, s.state, s.last_updated_ts
      FROM states s
      JOIN states_meta m USING (metadata_id)
     WHERE s.last_updated_ts >= ? AND s.state IS NOT NULL
"""


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__ or "", _add)
    rounds = asked.rounds or (_QUICK_ROUNDS if asked.quick else _ROUNDS)
    with tempfile.TemporaryDirectory() as folder:
        status, comparison, shown_twice = asyncio.run(_measure(Path(folder), rounds, asked.seed))
    gaps, queued = status["gaps"]["open"], status["lines"]["queued"]
    figures = {
        "rounds": rounds,
        "seed": asked.seed,
        "changes_per_s": _RATE,
        "recorded_states": comparison.compared,
        "missing_states": len(comparison.missing),
        "samples_shown_twice": shown_twice,
        "missed_events": status["missed"],
        "backfilled_events": status["intake"].get("backfill", {}).get("received", 0),
    }
    broken = [f"{law} (seed {asked.seed})" for law in laws(status) if not law.holds]
    if gaps or queued:
        broken.append(f"after {_SETTLED_WITHIN_S} s {gaps} gaps are open and {queued} lines wait (seed {asked.seed})")
    if comparison.missing or not comparison.compared or shown_twice:
        broken.append(f"{comparison}; {shown_twice} samples are shown twice (seed {asked.seed})")
    versions = {"homeiq": VERSION, "homeassistant": home_assistant.version()}
    finish("ha_kill", figures, versions, check=asked.check, broken=broken)


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rounds", type=int, metavar="N", help=f"how often one of them is killed, {_ROUNDS} by default"
    )
    parser.add_argument("--seed", type=int, default=1, help="chooses the moments")


async def _measure(folder: Path, rounds: int, seed: int) -> tuple[dict[str, Any], Comparison, int]:
    """Return the status and the comparison at the end, and how many samples the database shows twice."""
    configuration = folder / "home-assistant"
    configuration.mkdir()
    (configuration / "order.json").write_text(json.dumps({"measure": "steady", "rate": _RATE}))
    async with open_home(folder, integrations=("drive",), custom_components={"drive": DRIVE}) as home:
        await wait_for("Home Assistant to store that it is connected", lambda: _is_stored(configuration / ".storage"))
        begin = datetime.now(UTC)
        await _kill_in_turn(home, rounds, random.Random(seed))  # noqa: S311  # a repeatable choice, no secret
        (configuration / "rest").touch()
        say("both live: waiting until the gaps are filled and all is written")
        with contextlib.suppress(DemoError):  # the figures will tell
            await wait_for("the gaps to be filled", lambda: _settled(home), deadline_s=_SETTLED_WITHIN_S)
        await home.home_assistant.stop()  # its recorder commits what it still holds
        with contextlib.suppress(DemoError):
            await wait_for("the last to be written", lambda: _settled(home), deadline_s=_DRAINED_WITHIN_S)
        database = EmbeddedVictoriaMetrics(home.server)
        rows = _recorded(configuration / "home-assistant_v2.db", begin)
        comparison = compare(rows, await database.samples(begin, datetime.now(UTC)))
        return await home.server.status(), comparison, await _shown_twice(database)


async def _kill_in_turn(home: Home, rounds: int, chance: random.Random) -> None:
    """Kill one after the other; in some rounds also the other one, while the first is away, so that both forget."""
    for number in range(1, rounds + 1):
        await asyncio.sleep(chance.uniform(*_LIVES_S))
        one, other = (home.home_assistant, home.server) if number % 2 else (home.server, home.home_assistant)
        both = chance.random() < _BOTH
        say(f"round {number} of {rounds}: kill -9 of {one.process.name}{f', then {other.process.name}' * both}")
        await one.process.kill()
        await asyncio.sleep(chance.uniform(*_AWAY_S))
        if both:
            await other.process.kill()
        await one.start()
        if both:
            await other.start()


async def _is_stored(storage: Path) -> bool:
    """Whether Home Assistant would still know HomeIQ, and us, if it were killed now."""
    files = {storage / name: text for name, text in _STORED.items()}
    return all(path.exists() and text in path.read_text().replace('": ', '":') for path, text in files.items())


async def _settled(home: Home) -> bool:
    home.server.process.check()
    status = await home.server.status()
    return not status["gaps"]["open"] and not status["lines"]["queued"]


def _recorded(path: Path, begin: datetime) -> list[dict[str, Any]]:
    """Return what the recorder has committed since then, as its history would tell it."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as recorder:
        rows = recorder.execute(_STATES, (begin.timestamp(),)).fetchall()
    return [
        {"entity_id": entity_id, "state": state, "last_updated": datetime.fromtimestamp(at, UTC).isoformat()}
        for entity_id, state, at in rows
    ]


async def _shown_twice(database: EmbeddedVictoriaMetrics) -> int:
    series = await database.export('entity_id!=""')
    return sum(len(one["timestamps"]) - len(set(one["timestamps"])) for one in series)


if __name__ == "__main__":
    main()
