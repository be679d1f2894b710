"""The handlers of the store's API over real HTTP, before a real database."""

from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient

from homeiq_server.api import device_routes
from homeiq_server.api.body import open_budgets
from homeiq_server.api.errors import errors_to_problems
from homeiq_server.insights.finding import Facts
from homeiq_server.store.pool import Tenants

type Http = TestClient[web.Request, web.Application]
type Json = dict[str, Any]


def served(tenants: Tenants, fresh: Callable[[str], Facts | None] = lambda _: None) -> web.Application:
    """Return an app with these routes alone."""
    app = web.Application(middlewares=[errors_to_problems])
    open_budgets(app)
    device_routes.serve(app, tenants, fresh)
    return app


async def get(http: Http, path: str, **parameters: object) -> Json:
    """Return what is answered with 200."""
    status, body = await ask(http, path, **parameters)
    assert status == 200, body
    return body


async def ask(http: Http, path: str, **parameters: object) -> tuple[int, Json]:
    shown = {name: str(value) for name, value in parameters.items()}
    async with http.get(f"/api/v1/{path}", params=shown) as response:
        return response.status, await response.json(content_type=None)


async def post(http: Http, path: str, body: object = None) -> tuple[int, Json]:
    async with http.post(f"/api/v1/{path}", json={} if body is None else body) as response:
        return response.status, await response.json(content_type=None)
