"""The route tables: one place that says what is served where, and behind which check."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from homeiq_server.insights.finding import Facts
from homeiq_server.intake import EventIntake, LineIntake, StatisticsIntake
from homeiq_server.intake.registry import RegistryIntake
from homeiq_server.status.shape import Status
from homeiq_server.store.pool import Tenants
from homeiq_server.token import Token

from . import cors, dead_letters, devices, findings, gaps, hours, influx, insights, page, prometheus_proxy, reported
from . import registry as registries
from . import store as device_store
from .auth import only_from, token_required
from .backfill import BACKFILL, post_backfill
from .body import MAX_BODY, open_budgets
from .errors import errors_to_problems
from .events import INTAKE, post_events
from .info import SERVER_ID, get_info
from .metrics import REGISTRY, get_metrics, registry
from .prometheus_proxy import PrometheusProxy
from .statistics import STATISTICS, post_statistics
from .status import STATUS, get_status

_QUERIES: Final = "ask for what was stored in PromQL at /prometheus/api/v1/query of this port"
_QUERIES_ELSEWHERE: Final = "ask the database itself for what was stored"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedDevices:
    """The parts that requests about devices are answered from.

    Attributes:
        facts: What is measured of a device now.
    """

    store: Tenants
    registries: RegistryIntake
    listener: reported.Listener
    facts: Callable[[str], Facts | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The parts that requests are answered from.

    Attributes:
        proxy: None without an embedded database.
        devices: None when the store is switched off.
    """

    intake: EventIntake
    backfill: EventIntake
    statistics: StatisticsIntake
    lines: LineIntake
    gaps: gaps.GapStore
    dead_letters: dead_letters.DeadLetterStore
    status: Callable[[], Status]
    server_id: str
    token: Token
    proxy: PrometheusProxy | None = None
    devices: ServedDevices | None = None


def api(served: Served, *, cors_origins: Collection[str] = ()) -> web.Application:
    """Return the API, and the page for browsers: the token is asked for everywhere but at ``/api/v1/info``."""
    app = web.Application(
        middlewares=[cors.preflights(cors_origins), errors_to_problems, token_required(served.token)],
        client_max_size=MAX_BODY,
    )
    cors.allow(app, cors_origins)
    app[INTAKE] = served.intake
    app[BACKFILL] = served.backfill
    app[STATISTICS] = served.statistics
    app[gaps.GAPS] = served.gaps
    app[dead_letters.STORE] = served.dead_letters
    open_budgets(app)
    app[STATUS] = served.status
    app[SERVER_ID] = served.server_id
    app[REGISTRY] = registry(served.status)
    app.router.add_get("/api/v1/info", get_info)
    app.router.add_get("/api/v1/status", get_status)
    app.router.add_post("/api/v1/events", post_events)
    app.router.add_post("/api/v1/backfill", post_backfill)
    app.router.add_post("/api/v1/statistics", post_statistics)
    app.router.add_get("/api/v1/gaps", gaps.get_gaps)
    app.router.add_post("/api/v1/gaps/complete", gaps.post_complete)
    app.router.add_get(dead_letters.PATH, dead_letters.get_dead_letters)
    app.router.add_post(f"{dead_letters.PATH}/replay", dead_letters.post_replay)
    app.router.add_post(f"{dead_letters.PATH}/discard", dead_letters.post_discard)
    app.router.add_get("/metrics", get_metrics)
    _serve_devices(app, served.devices)
    _take_in_devices(app, served.devices)
    page.add_routes(app.router)
    influx.add_routes(
        app.router, served.lines, served.token, elsewhere=_QUERIES if served.proxy else _QUERIES_ELSEWHERE
    )
    if served.proxy:
        app.router.add_routes(prometheus_proxy.routes(served.proxy))
    return app


def ingress(served: Served, *, peer: str) -> web.Application:
    """Return the page and what it asks for, for ``peer`` alone."""
    app = web.Application(middlewares=[errors_to_problems, only_from(peer), page.changes_by_the_page_only])
    open_budgets(app)
    app[STATUS] = served.status
    app[SERVER_ID] = served.server_id
    app[dead_letters.STORE] = served.dead_letters
    app.router.add_get("/api/v1/info", get_info)
    app.router.add_get("/api/v1/status", get_status)
    app.router.add_get(dead_letters.PATH, dead_letters.get_dead_letters)
    _serve_devices(app, served.devices)
    page.add_routes(app.router)
    return app


def _serve_devices(app: web.Application, served: ServedDevices | None) -> None:
    """Serve what people and programs want to know of devices, and let them deal with findings."""
    app[device_store.STORE] = served.store if served else None
    app[devices.FACTS] = served.facts if served else _unknown
    for noun in (devices, findings, hours, insights):
        noun.add_routes(app.router)


def _take_in_devices(app: web.Application, served: ServedDevices | None) -> None:
    """Take in what Home Assistant tells of its devices."""
    if served is None:
        for path in (registries.PATH, reported.PATH):
            app.router.add_route("*", path, device_store.switched_off)
        return
    app[registries.REGISTRIES] = served.registries
    app[reported.LISTENER] = served.listener
    app.router.add_get(registries.PATH, registries.get_registry)
    app.router.add_post(registries.PATH, registries.post_registry)
    app.router.add_post(reported.PATH, reported.post_reported)


def _unknown(_device_id: str) -> Facts | None:
    return None
