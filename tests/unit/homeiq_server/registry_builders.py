"""Parts of registries, and a store of them in memory."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from homeiq_server.errors import RetryLater, StaleRevision
from homeiq_server.intake.registry_parts import Packed
from homeiq_server.registry import KINDS, Device, Kind, Removed, Rows


def body(part: int = 0, *devices: str, last: bool = False, revision: int = 1, **more: object) -> dict[str, Any]:
    """Return the body of a part that holds devices, before it becomes JSON."""
    rows = {"devices": [{"id": device} for device in devices]}
    return {"source": "home", "revision": revision, "part": part, "last": last, "rows": rows} | more


def packed(part: int = 0, *devices: str, last: bool = False, revision: int = 1, **more: object) -> Packed:
    """Return the same as the intake takes it."""
    return Packed.of(json.dumps(body(part, *devices, last=last, revision=revision, **more)).encode())


class FakeRegistries:
    """Keeps devices by source.

    Attributes:
        busy: Refuse, before or after the work is done.
        begun: Some work has begun.
        gate: What the work waits for.
    """

    def __init__(self) -> None:
        self.revisions: dict[str, int] = {}
        self.devices: dict[str, dict[str, Device]] = {}
        self.busy: str | None = None
        self.begun, self.gate = asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def revision(self, source: str) -> int | None:
        return self.revisions.get(source)

    async def snapshot(self, source: str, revision: int, parts: Iterable[Rows]) -> dict[Kind, int]:
        self._check(source, revision)
        return await self._put(source, revision, {device.id: device for rows in parts for device in rows.devices})

    async def diff(self, source: str, revision: int, base: int, rows: Rows, removed: Removed) -> dict[Kind, int]:
        if base != (stored := self.revisions.get(source)):
            raise StaleRevision("another base", stored)
        self._check(source, revision)
        kept = {id_: device for id_, device in self.devices[source].items() if id_ not in removed.devices}
        return await self._put(source, revision, kept | {device.id: device for device in rows.devices})

    def _check(self, source: str, revision: int) -> None:
        if self.busy == "before":
            raise RetryLater("away")
        if (stored := self.revisions.get(source)) is not None and revision <= stored:
            raise StaleRevision("late", stored)

    async def _put(self, source: str, revision: int, devices: dict[str, Device]) -> dict[Kind, int]:
        self.begun.set()
        await self.gate.wait()
        self.revisions[source], self.devices[source] = revision, devices
        if self.busy == "after":
            raise RetryLater("went while it committed")
        return dict.fromkeys(KINDS, 0) | {"devices": len(devices)}
