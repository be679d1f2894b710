"""The route tables: one place that says what is served where, and behind which check."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from aiohttp import web

from homeiq_server.intake import EventIntake
from homeiq_server.status.shape import Status
from homeiq_server.token import Token

from . import cors, page, prometheus_proxy
from .auth import only_from, token_required
from .budget import ByteBudget
from .errors import errors_to_problems
from .events import BUDGET, BUDGET_BYTES, INTAKE, MAX_BODY, post_events
from .info import SERVER_ID, get_info
from .metrics import REGISTRY, get_metrics, registry
from .prometheus_proxy import PrometheusProxy
from .status import STATUS, get_status


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The parts that requests are answered from; ``proxy`` is None without an embedded database."""

    intake: EventIntake
    status: Callable[[], Status]
    server_id: str
    token: Token
    proxy: PrometheusProxy | None = None


def api(served: Served, *, cors_origins: Collection[str] = ()) -> web.Application:
    """Return the API, and the page for browsers: the token is asked for everywhere but at ``/api/v1/info``."""
    app = web.Application(
        middlewares=[cors.preflights(cors_origins), errors_to_problems, token_required(served.token)],
        client_max_size=MAX_BODY,
    )
    cors.allow(app, cors_origins)
    app[INTAKE] = served.intake
    app[BUDGET] = ByteBudget(BUDGET_BYTES)
    app[STATUS] = served.status
    app[SERVER_ID] = served.server_id
    app[REGISTRY] = registry(served.status)
    app.router.add_get("/api/v1/info", get_info)
    app.router.add_get("/api/v1/status", get_status)
    app.router.add_post("/api/v1/events", post_events)
    app.router.add_get("/metrics", get_metrics)
    page.add_routes(app.router)
    if served.proxy:
        app.router.add_routes(prometheus_proxy.routes(served.proxy))
    return app


def ingress(served: Served, *, peer: str) -> web.Application:
    """Return the page and what it reads, for ``peer`` alone; it can change nothing."""
    app = web.Application(middlewares=[errors_to_problems, only_from(peer)])
    app[STATUS] = served.status
    app[SERVER_ID] = served.server_id
    app.router.add_get("/api/v1/info", get_info)
    app.router.add_get("/api/v1/status", get_status)
    page.add_routes(app.router)
    return app
