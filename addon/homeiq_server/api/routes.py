"""The route tables: one place that says what is served where, and behind which check."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, Protocol

from aiohttp import web

from homeiq_server.intake import EventIntake, LineIntake, StatisticsIntake
from homeiq_server.status.shape import Status
from homeiq_server.token import Token

from . import cors, dead_letters, gaps, influx, no_ingest, no_store, page, prometheus_proxy
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


class DeviceRoutes(Protocol):
    """What serves devices."""

    def serve(self, app: web.Application) -> None:
        """Serve what people and programs want to know of them."""
        ...

    def take_in(self, app: web.Application) -> None:
        """Take in what Home Assistant tells of them."""
        ...


class IngestRoutes(Protocol):
    """What serves devices that send by MQTT and HTTP, and their tenants."""

    def serve(self, app: web.Application) -> None:
        """Serve who shows a token."""
        ...

    def serve_page(self, app: web.Application) -> None:
        """Serve the page of the home."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The parts that requests are answered from.

    Attributes:
        proxy: None without an embedded database.
        devices: None when the store is switched off.
        ingest: None when devices may not send.
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
    devices: DeviceRoutes | None = None
    ingest: IngestRoutes | None = None


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
    if served.devices:
        served.devices.serve(app)
        served.devices.take_in(app)
    else:
        no_store.add_routes(app.router)
    if served.ingest:
        served.ingest.serve(app)
    else:
        no_ingest.add_routes(app.router)
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
    if served.devices:
        served.devices.serve(app)
    else:
        no_store.add_routes(app.router)
    if served.ingest:
        served.ingest.serve_page(app)
    else:
        no_ingest.add_routes(app.router)
    page.add_routes(app.router)
    return app
