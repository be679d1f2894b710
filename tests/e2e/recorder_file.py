"""The recorder's own file, read past Home Assistant: what the database must hold in the end."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

from homeiq_demo.comparison import Comparison, compare
from homeiq_demo.database import EmbeddedVictoriaMetrics
from homeiq_demo.home import Home
from homeiq_demo.process import DemoError, wait_for
from homeiq_demo.rest import Json

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MARGIN = timedelta(minutes=1)

_STATES = """
      SELECT states_meta.entity_id, state, last_updated_ts
        FROM states JOIN states_meta USING (metadata_id)
       WHERE states.state IS NOT NULL AND states_meta.entity_id LIKE ?
    ORDER BY last_updated_ts, state_id
"""


def committed(home: Home, like: str = "%") -> list[Json]:
    """Return every state that the recorder has committed, as the REST API would show it, oldest first."""
    path = home.folder / "home-assistant" / "home-assistant_v2.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        rows = db.execute(_STATES, (like,)).fetchall()
    return [
        {"entity_id": entity_id, "state": state, "last_updated": datetime.fromtimestamp(at, UTC).isoformat()}
        for entity_id, state, at in rows
    ]


async def all_committed_stored(home: Home, since: datetime, like: str = "%", *, deadline_s: float = 90) -> Comparison:
    """Wait until the database holds every state that the recorder has committed, by value and millisecond."""
    rows = [row for row in committed(home, like) if datetime.fromisoformat(row["last_updated"]) >= since]
    moments = [datetime.fromisoformat(row["last_updated"]) for row in rows]
    database = EmbeddedVictoriaMetrics(home.server)
    comparison: Comparison | None = None

    async def complete() -> bool:
        nonlocal comparison
        comparison = compare(rows, await database.samples(min(moments) - MARGIN, max(moments) + MARGIN))
        return not comparison.missing

    try:
        await wait_for("the database to hold all of the recorder", complete, deadline_s=deadline_s)
    except DemoError as err:
        raise DemoError(f"{err}\n{comparison}\n{home.home_assistant.process.tail()}") from err
    assert comparison is not None
    return comparison
