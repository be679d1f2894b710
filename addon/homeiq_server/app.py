"""Builds every part and runs them together; the only file that knows all the others.

Start and stop are nested: what others use starts before them and stops after them. However a part hangs, the stop takes
at most 11 s: 1.5 s for each listener's requests, 2 s for device ingest, 1 s for the writer and beside it the store, 2 s
for the spool, 3 s for both embedded databases. What was acknowledged is on disk all the while. The start waits for no
database.
"""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from aiohttp import web

from homeiq_server import VERSION, token
from homeiq_server.api.prometheus_proxy import PrometheusProxy
from homeiq_server.api.routes import Served, api, ingress
from homeiq_server.database import Database, open_embedded
from homeiq_server.discovery import Supervisor
from homeiq_server.errors import Misconfigured
from homeiq_server.history.spool import Spool
from homeiq_server.options import MEBIBYTE, Options
from homeiq_server.parts import Parts
from homeiq_server.serving import Listener

if TYPE_CHECKING:
    from homeiq_server.devices import Devices
    from homeiq_server.ingest.mqtt.broker import Broker
    from homeiq_server.ingesting import Ingesting

_LOGGER = logging.getLogger(__name__)

_INGEST_WITHIN_S: Final = 2
_WRITER_WITHIN_S: Final = 1
_SPOOL_WITHIN_S: Final = 2
_CHILDREN_WITHIN_S: Final = 3

_LARGEST_SPOOL: Final = 1024 * MEBIBYTE
_SMALLEST_SPOOL: Final = 16 * MEBIBYTE
_PART_OF_FREE_DISK: Final = 0.2


async def run(options: Options, stop: asyncio.Event, *, supervisor: Supervisor | None = None) -> None:
    """Run the server until ``stop`` is set; with a ``supervisor``, Home Assistant is told of it.

    Raises:
        HomeIQError: It cannot start as it is set up.
        ExceptionGroup: A part failed in a way that nobody foresaw; the others were stopped in order.
    """
    _own_folder(options.data_dir)
    embedded, devices = open_embedded(options), _open_devices(options)
    async with (
        _running(embedded, devices.child if devices else None),
        _open_spool(options) as spool,
        _closing(Database(options, spool, embedded) if options.history else None) as database,
        _closing(PrometheusProxy(embedded.url) if embedded else None) as proxy,
    ):
        parts = Parts(spool, database, devices, schema=options.schema)
        own_token = token.load(options.data_dir)
        if options.ingest and devices:
            parts.ingest = _open_ingest(options, parts, devices, supervisor, own_token)
        served = Served(
            intake=parts.intake,
            backfill=parts.backfill,
            statistics=parts.statistics,
            lines=parts.lines,
            gaps=spool,
            dead_letters=spool,
            status=parts.status,
            server_id=spool.server_id,
            token=own_token,
            proxy=proxy,
            devices=devices,
            ingest=parts.ingest,
        )
        await _serve(options, parts, served, stop, supervisor)
    _LOGGER.info("stopped")


async def _serve(
    options: Options, parts: Parts, served: Served, stop: asyncio.Event, supervisor: Supervisor | None
) -> None:
    """Take events and write them, and watch the devices, until ``stop`` is set."""
    database, devices = parts.database, parts.devices
    async with asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(database.write(), name="writer") if database else None
        if devices:
            tasks.create_task(devices.run(), name="devices")
        taking = tasks.create_task(parts.ingest.run(), name="ingest") if parts.ingest else None
        async with (
            _listening(ingress(served, peer=options.ingress_peer), options.ingress_host, options.ingress_port) as page,
            _listening(api(served, cors_origins=options.cors_origins), options.host, options.port) as open_api,
        ):
            _LOGGER.info("HomeIQ %s is ready: API on port %d, page on port %d", VERSION, open_api.port, page.port)
            telling = _tell(supervisor, tasks, served, port=open_api.port)
            await stop.wait()
            parts.stop()
            if telling:
                telling.cancel()
        if taking:
            await asyncio.wait((taking,), timeout=_INGEST_WITHIN_S)  # it needs the store
            taking.cancel()
        if devices:
            devices.stop()  # ends beside the writer
        if database and writing:
            await database.writer.drain(_WRITER_WITHIN_S)
            writing.cancel()


def _open_devices(options: Options) -> Devices | None:
    """Return what knows devices, None when the user wants history alone."""
    if not options.store:
        return None
    from homeiq_server.devices import Devices  # noqa: PLC0415 - it takes memory that history alone does without

    return Devices(options)


def _open_ingest(
    options: Options, parts: Parts, devices: Devices, supervisor: Supervisor | None, own_token: token.Token
) -> Ingesting:
    """Return what devices send to."""
    from homeiq_server.ingesting import Around, Ingesting  # noqa: PLC0415 - the same

    async def find_broker() -> Broker | None:
        return await supervisor.mqtt_broker() if supervisor else None

    around = Around(
        store=devices.database,
        spool=parts.spool,
        form=parts.form,
        sights=devices.sights,
        find_broker=find_broker,
        token=own_token,
    )
    return Ingesting(options, around)


@asynccontextmanager
async def _listening(app: web.Application, host: str, port: int) -> AsyncIterator[Listener]:
    listener = Listener(app, host=host, port=port)
    try:
        await listener.start()
        yield listener
    finally:
        await listener.stop()


def _tell(
    supervisor: Supervisor | None, tasks: asyncio.TaskGroup, served: Served, *, port: int
) -> asyncio.Task[None] | None:
    """Tell Home Assistant of us, once we answer."""
    if supervisor is None:
        return None
    announcement = supervisor.announce(port=port, token=served.token, server_id=served.server_id)
    return tasks.create_task(announcement, name="discovery")


class _Closable(Protocol):
    async def close(self) -> None: ...


class _Runnable(Protocol):
    async def run(self) -> None: ...


@asynccontextmanager
async def _closing[Part: _Closable](part: Part | None) -> AsyncIterator[Part | None]:
    try:
        yield part
    finally:
        if part is not None:
            await part.close()


@asynccontextmanager
async def _running(*embedded: _Runnable | None) -> AsyncIterator[None]:
    """Keep the embedded databases running; stopped last and together, so that what uses them is done with them."""
    if not any(embedded):
        yield
        return
    async with asyncio.TaskGroup() as tasks:
        children = [tasks.create_task(child.run(), name=type(child).__name__) for child in embedded if child]
        yield
        for child in children:
            child.cancel()
        await asyncio.wait(children, timeout=_CHILDREN_WITHIN_S)
        for child in children:
            child.cancel()  # the second time by force; nothing happens to one that has ended


@asynccontextmanager
async def _open_spool(options: Options) -> AsyncIterator[Spool]:
    path = options.data_dir / "spool.db"
    limit_mb = options.spool_limit_mb
    limit_bytes = limit_mb * MEBIBYTE if limit_mb else _default_limit(path)
    spool = await Spool.open(path, limit_bytes=limit_bytes, when_full=options.when_full)
    try:
        yield spool
    finally:
        try:
            async with asyncio.timeout(_SPOOL_WITHIN_S):
                await spool.close()
        except TimeoutError:
            _LOGGER.error("the disk of %s does not answer; what was acknowledged is on it", path)  # noqa: TRY400


def _default_limit(path: Path) -> int:
    """Return the smaller of 1 GiB and a fifth of the disk that is free, or taken by the spool itself."""
    own = path.stat().st_size if path.exists() else 0
    part = int((shutil.disk_usage(path.parent).free + own) * _PART_OF_FREE_DISK)
    return max(_SMALLEST_SPOOL, min(_LARGEST_SPOOL, part))


def _own_folder(folder: Path) -> None:
    """Make the folder that everything is kept in; nobody else reads it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as err:
        raise Misconfigured(f"the folder {folder} cannot be made: {err.strerror}; choose another data_dir") from err
