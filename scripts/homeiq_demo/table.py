"""The live table in the terminal, or a plain line now and then where there is none."""

import asyncio
import sys
import time
from datetime import UTC, datetime
from typing import Any

from .server import Server

PLAIN_EVERY_S = 5.0


class Table:
    """Shows the server's numbers once a second until cancelled."""

    def __init__(self, server: Server, *, heading: str) -> None:
        """Show ``server`` below the lines of ``heading``."""
        self._server = server
        self._heading = heading
        self._lines = 0
        self._said = 0.0

    async def run(self) -> None:
        """Show until cancelled."""
        print(self._heading, flush=True)
        while True:
            self._show(figures(await self._server.status()))
            await asyncio.sleep(1)

    def _show(self, shown: dict[str, str]) -> None:
        if sys.stdout.isatty():
            back = f"\033[{self._lines}F\033[J" if self._lines else ""
            print(back + "\n".join(f"  {name:<15}{value:>14}" for name, value in shown.items()), flush=True)
            self._lines = len(shown)
        elif time.monotonic() - self._said >= PLAIN_EVERY_S:
            self._said = time.monotonic()
            print(", ".join(f"{name} {value}" for name, value in shown.items()), flush=True)


def figures(status: dict[str, Any]) -> dict[str, str]:
    """Return the table's rows."""
    events, lines = status["intake"].get("events", {}), status["lines"]
    newest, insights = status["database"]["newest_point_at"], status["insights"]
    age = f"{(datetime.now(UTC) - datetime.fromisoformat(newest)).total_seconds():.1f} s" if newest else "none yet"
    return {
        "status": status["status"],
        "received": str(events.get("received", 0)),
        "written": str(lines["written"]),
        "queued": str(lines["queued"]),
        "of them sent": str(status["database"]["settling"]),
        "dead": str(lines["dead"]),
        "dropped": str(lines["dropped"]),
        "newest point": age,
        "watched": f"{insights['tracked'] if insights else 0} entities",
        **_from_devices(status["ingest"]),
    }


def _from_devices(ingest: dict[str, Any] | None) -> dict[str, str]:
    if ingest is None:
        return {}
    return {"from devices": str(ingest["accepted"]), "refused": str(sum(ingest["refused"].values()))}
