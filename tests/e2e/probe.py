"""Drives the probe integration inside Home Assistant, and asks the database for what it did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from homeiq_demo.comparison import compare
from homeiq_demo.database import EmbeddedVictoriaMetrics, time_ms
from homeiq_demo.home import Home
from homeiq_demo.process import wait_for

PROBE = {"probe": Path(__file__).parent / "probe_integration"}
SECOND = timedelta(seconds=1)
COMPLAINTS = ("blocking call", "Detected that custom integration", "custom_components.homeiq")

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Series:
    """One stored series: its name, its labels, and its values by time (ms)."""

    name: str
    labels: dict[str, str]
    values: dict[int, float]


class Probe:
    """Changes states in ways that no REST client can; waits for what the database must then hold."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._database = EmbeddedVictoriaMetrics(home.server)

    async def set(self, entity_id: str, state: str, *, special: tuple[str, ...] = (), **attributes: object) -> Json:
        """Set a state inside Home Assistant; ``special`` are attributes that the probe knows by name."""
        return await self._act("set_state", entity_id=entity_id, state=state, special=special, attributes=attributes)

    async def remove(self, entity_id: str) -> None:
        await self._act("remove", entity_id=entity_id)

    async def burst(self, prefix: str, *, count: int, entities: int) -> list[Json]:
        """Count up over some sensors as fast as Home Assistant can; return every state, oldest first for each."""
        seen = await self._act("burst", prefix=prefix, count=count, entities=entities)
        return [state for states in seen.values() for state in states]

    async def tick(self, prefix: str, *, count: int, entities: int) -> None:
        """Count up over some sensors, so slowly that no two changes of one share a millisecond."""
        await self._act("burst", prefix=prefix, count=count, entities=entities, at_once=entities, pause_s=0.003)

    async def live_through(self, prefix: str, *, start: float, step_s: float, count: int, entities: int) -> list[Json]:
        """Count up over some sensors as if that had been some time ago; return every state."""
        seen = await self._act(
            "live_through", prefix=prefix, start=start, step_s=step_s, count=count, entities=entities
        )
        return [state for states in seen.values() for state in states]

    async def keep_statistics(self, statistic_id: str, *, start: float, hours: int) -> None:
        """Give the recorder some hours of a long-term statistic."""
        await self._act("keep_statistics", statistic_id=statistic_id, start=start, hours=hours)

    async def hold_at_most(self, events: int) -> None:
        """Shrink the buffer of HomeIQ, which must be empty."""
        await self._act("hold_at_most", events=events)

    async def listeners(self) -> int:
        """Return how many listen for state changes."""
        return int((await self._act("listeners"))["state_changed"])

    async def _act(self, action: str, **fields: object) -> Json:
        answer: Json = await self._home.home_assistant.ask("probe", action, **fields)
        return answer

    async def series(self, entity_id: str) -> list[Series]:
        """Return what the database holds of the entity now."""
        domain, object_id = entity_id.split(".")
        found = await self._database.export(f'domain="{domain}",entity_id="{object_id}"')
        return [_series(one) for one in found]

    async def stored(self, entity_id: str, name: str, **labels: str) -> dict[int, float]:
        """Wait until the database has a series of this name and these labels, and return its values by time."""

        async def look() -> Series | None:
            found = [s for s in await self.series(entity_id) if s.name == name and labels.items() <= s.labels.items()]
            return found[0] if found else None

        return (await wait_for(f"{name}{labels} of {entity_id}", look)).values

    async def value_at(self, seen: Json, name: str, **labels: str) -> float:
        """Wait until the series has a value at the millisecond at which the state was seen, and return it."""
        entity_id, at_ms = seen["entity_id"], moment_ms(seen)

        async def look() -> tuple[float] | None:
            values = await self.stored(entity_id, name, **labels)
            return (values[at_ms],) if at_ms in values else None

        return (await wait_for(f"a value of {name}{labels} of {entity_id} at {at_ms}", look))[0]

    async def all_stored(self, rows: list[Json]) -> None:
        """Wait until the database holds every one of the states."""
        moments = [datetime.fromisoformat(row["last_updated"]) for row in rows]
        begin, end = min(moments) - SECOND, max(moments) + SECOND

        async def complete() -> bool:
            return not compare(rows, await self._database.samples(begin, end)).missing

        await wait_for("the database to hold every state", complete, deadline_s=60)


def moment_ms(seen: Json) -> int:
    """Return when a state was set, as the database has it."""
    return time_ms(datetime.fromisoformat(seen["last_updated"]))


def _series(line: Json) -> Series:
    labels = dict(line["metric"])
    return Series(labels.pop("__name__"), labels, dict(zip(line["timestamps"], line["values"], strict=True)))


def complaints(log: str, *, expected: Sequence[str] = ()) -> list[str]:
    """Return the warnings and errors of a log that concern HomeIQ, without those that have an expected text in them."""
    loud = [line for line in log.splitlines() if " WARNING " in line or " ERROR " in line]
    ours = [line for line in loud if any(sign in line for sign in COMPLAINTS)]
    return [line for line in ours if not any(text in line for text in expected)]
