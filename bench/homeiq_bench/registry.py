"""The registries of 10,000 devices and 50,000 entities: into PostgreSQL with fsync on, again, changed, and out again.

Bodies of requests go through the server's own intake in this process; the first page is asked for over HTTP.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from homeiq_bench.large_home import HEAD, LargeHome, bodies
from homeiq_bench.report import Figure, arguments, finish, percentile, say
from homeiq_server import VERSION
from homeiq_server.api import devices
from homeiq_server.api.store import STORE
from homeiq_server.intake.registry import Applied, RegistryIntake
from homeiq_server.intake.registry_parts import Packed
from homeiq_server.registry import KINDS, Rows
from homeiq_server.store.pool import Conn, Pool
from homeiq_server.store.registry import Registries, load
from tests import postgres

_DEVICES, _QUICK_DEVICES = 10_000, 1_000
_DIFFS: Final = 20
_CHANGED_AT_ONCE: Final = 10
_PAGES, _PAGE = 200, 50
_TENANT: Final = "home"
_SELF: Final = Path("/proc/self")
_DEDUCTION: Final = "jsonb_build_object('name', 'battery', 'points', 30, 'since', now(), 'evidence', '{}'::jsonb)"
_ASSESSED: Final = f"""
    INSERT INTO device_health (tenant_id, device_id, state, score, confidence, deductions, assessed_at)
    SELECT tenant_id, id, 'fair', 70, 1, jsonb_build_array({_DEDUCTION}), now() FROM devices
"""  # noqa: S608  # made of the line above
_MEASURED: Final = """
    INSERT INTO device_facts (tenant_id, device_id, available, battery_level, last_seen_at)
    SELECT tenant_id, id, true, 50, now() FROM devices
"""


def main() -> None:
    """Measure and print."""
    asked = arguments(__doc__ or "")
    count_of_devices = _QUICK_DEVICES if asked.quick else _DEVICES
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own, so that the memory of this one is the server's.
        with ProcessPoolExecutor(1) as other:
            other.submit(_write_bodies, Path(folder), count_of_devices).result()
        with postgres.cluster(durable=True) as cluster:
            figures = asyncio.run(_measure(cluster, Path(folder)))
    figures |= {"devices": count_of_devices}
    broken = [] if figures["rows_written_by_second_sync"] == 0 else ["a snapshot that was sent twice wrote rows"]
    finish("registry", figures, {"homeiq": VERSION}, check=asked.check, broken=broken)


def _write_bodies(folder: Path, count_of_devices: int) -> None:
    parts = list(LargeHome(count_of_devices).parts())
    for revision in (1, 2):
        for number, body in enumerate(bodies(parts, revision)):
            (folder / f"{revision}_{number:03}").write_bytes(body)


async def _measure(cluster: postgres.Cluster, folder: Path) -> dict[str, Figure]:
    kept: dict[str, Rows] = {}  # as the insights keep it
    async with cluster.database() as database, postgres.open_pool(database) as pool:
        intake = RegistryIntake(Registries(pool, _TENANT), lambda source, rows, _: kept.update({source: rows}))
        before_mb = _forget_peak()
        first_s, first = await _sync(intake, folder, 1)
        peak_mb, kept_mb = _status_mb("VmHWM") - before_mb, _status_mb("VmRSS") - before_mb
        say(f"first sync: {first_s:.2f} s, {sum(first.changed.values())} rows, at most {peak_mb:.0f} MB")
        async with pool.tenant(_TENANT) as conn:
            mark = await conn.fetchval("SELECT pg_current_xact_id()::text::bigint")
        second_s, second = await _sync(intake, folder, 2)
        written = await _written_since(pool, mark)
        say(f"second sync: {second_s:.2f} s, {sum(second.changed.values())} rows changed, {written} written")
        diffs_ms = [ms async for ms in _diffs(intake, kept[HEAD["source"]])]
        load_s = await _load(pool)
        pages_ms = [ms async for ms in _pages(pool)]
        return {
            "sync_s": round(first_s, 2),
            "second_sync_s": round(second_s, 2),
            "rows_changed_by_second_sync": sum(second.changed.values()),
            "rows_written_by_second_sync": written,
            "diff_of_10_ms": round(statistics.median(diffs_ms), 1),
            "load_s": round(load_s, 2),
            "peak_extra_memory_mb": round(peak_mb, 1),
            "memory_kept_after_sync_mb": round(kept_mb, 1),
            "first_page_ms": round(statistics.median(pages_ms), 1),
            "first_page_p99_ms": round(percentile(pages_ms, 0.99), 1),
        }


async def _sync(intake: RegistryIntake, folder: Path, revision: int) -> tuple[float, Applied]:
    """Send a snapshot; return the seconds, and the answer to its last part."""
    start = time.perf_counter()
    for body in _bodies_of(folder, revision):
        answer = await intake.accept(Packed.of(body))
    return time.perf_counter() - start, answer


def _bodies_of(folder: Path, revision: int) -> Iterator[bytes]:
    for path in sorted(folder.glob(f"{revision}_*")):
        yield path.read_bytes()


async def _diffs(intake: RegistryIntake, home: Rows) -> AsyncIterator[float]:
    """Move ten devices to another room, again and again; yield the milliseconds of each."""
    moved = home.devices[:_CHANGED_AT_ONCE]
    for revision in range(3, 3 + _DIFFS):
        rows = {"devices": [msgspec.structs.replace(device, area_id=f"area_{revision}") for device in moved]}
        body = HEAD | {"revision": revision, "base": revision - 1, "part": 0, "last": True, "rows": rows}
        start = time.perf_counter()
        await intake.accept(Packed.of(msgspec.json.encode(body)))
        yield (time.perf_counter() - start) * 1e3


async def _load(pool: Pool) -> float:
    """Return the seconds that it takes to read all of it after a start."""
    start = time.perf_counter()
    async with pool.tenant(_TENANT) as conn:
        await load(conn, _TENANT, HEAD["source"])
    return time.perf_counter() - start


async def _pages(pool: Pool) -> AsyncIterator[float]:
    """Ask for the first page of the list, of devices that were measured and assessed; yield the milliseconds."""
    async with pool.tenant(_TENANT) as conn:
        await conn.execute(_ASSESSED)
        await conn.execute(_MEASURED)
    async with _serving(pool) as (session, url):
        await _page(session, url)  # opens the connection
        for _ in range(_PAGES):
            yield await _page(session, url)


async def _page(session: ClientSession, url: str) -> float:
    """Return the milliseconds that the first page takes."""
    start = time.perf_counter()
    async with session.get(url) as response:
        page = msgspec.json.decode(await response.read())
    taken_ms = (time.perf_counter() - start) * 1e3
    if len(page["devices"]) != _PAGE:
        raise RuntimeError(f"a page without {_PAGE} devices: {page}")
    return taken_ms


@asynccontextmanager
async def _serving(pool: Pool) -> AsyncIterator[tuple[ClientSession, str]]:
    app = web.Application()
    app[STORE] = pool
    app[devices.FACTS] = lambda _: None
    devices.add_routes(app.router)
    async with TestServer(app) as server, ClientSession() as session:
        yield session, str(server.make_url("/api/v1/devices"))


async def _written_since(pool: Pool, mark: int) -> int:
    """Return how many rows of the registries were written by transactions after ``mark``."""
    async with pool.tenant(_TENANT) as conn:
        return sum([await _written(conn, kind, mark) for kind in KINDS])


async def _written(conn: Conn, kind: str, mark: int) -> int:
    query = f"SELECT count(*) FROM {kind} WHERE xmin::text::bigint > $1"  # noqa: S608  # names of the code
    found: int = await conn.fetchval(query, mark)
    return found


def _forget_peak() -> float:
    """Let the peak of this process's memory begin anew; return what it takes now, in MB of 10^6 bytes."""
    (_SELF / "clear_refs").write_text("5")
    return _status_mb("VmRSS")


def _status_mb(name: str) -> float:
    for line in (_SELF / "status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


if __name__ == "__main__":
    main()
