"""The end of a demo: nothing that Home Assistant says has happened may be missing in the database."""

from datetime import UTC, datetime

from .changes import Changes
from .comparison import Comparison, compare
from .database import Database
from .home import Home
from .laws import laws
from .process import wait_for
from .rest import Json

DRAIN_S = 90


async def prove(home: Home, database: Database, changes: Changes, begin: datetime) -> bool:
    """Let everything be written that has happened since ``begin``, check it, and say what was checked.

    Stops Home Assistant on the way: its last flush is part of what is proven.
    """
    end = datetime.now(UTC)
    happened = await _what_happened(home, changes, begin, end)
    await home.home_assistant.stop()
    status = await wait_for("the queue to be written", lambda: _drained(home), deadline_s=DRAIN_S)
    comparison = compare(happened, await database.samples(begin, end))
    written, held = status["lines"]["written"], laws(status)
    print(f"\n{database.name} against Home Assistant's own history: {comparison}", *held, sep="\n", flush=True)
    return _succeeded(comparison, written=written, lawful=all(law.holds for law in held))


async def _what_happened(home: Home, changes: Changes, begin: datetime, end: datetime) -> list[Json]:
    """Return every state between the moments as the recorder has it, once it has the demo's own changes too."""
    entity_ids = [state["entity_id"] for state in await home.home_assistant.states()]
    marks = {(mark["entity_id"], mark["last_updated"]) for mark in changes.marks}

    async def recorded() -> list[Json]:
        rows = await home.home_assistant.history(entity_ids, start=begin, end=end)
        return rows if marks <= {(row["entity_id"], row["last_updated"]) for row in rows} else []

    return await wait_for("Home Assistant's recorder to hold the demo's changes", recorded)


async def _drained(home: Home) -> Json | None:
    home.server.process.check()
    status = await home.server.status()
    return None if status["lines"]["queued"] else status


def _succeeded(comparison: Comparison, *, written: int, lawful: bool) -> bool:
    if written == 0:
        print("Nothing was written.")
    if comparison.compared == 0:
        print("Home Assistant's history is empty: nothing could be compared.")
    return lawful and written > 0 and comparison.compared > 0 and not comparison.missing
