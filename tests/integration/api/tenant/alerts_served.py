"""The routes of alerts, their rules, and what devices said, over real HTTP before a real database."""

from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient

from homeiq_server.alerts.waking import Waking
from homeiq_server.api.body import open_budgets
from homeiq_server.api.errors import errors_to_problems
from homeiq_server.api.tenant import alert_rules, alerts, device_states
from homeiq_server.api.tenant.caller import EVERY_SCOPE, Caller, Scope
from homeiq_server.api.tenant.serving import serve
from homeiq_server.store.pool import Pool
from tests.integration.alerts.following import HOME

type Json = dict[str, Any]


class Named:
    """Whoever asks is of the tenant, and may do what, that headers name."""

    async def caller(self, request: web.Request) -> Caller:
        named = request.headers.get("X-Scopes")
        scopes = EVERY_SCOPE if named is None else frozenset(Scope(each) for each in named.split())
        return Caller(tenant_id=request.headers.get("X-Tenant", HOME), name="app", scopes=scopes)


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: Any


class Asking:
    """A client; of the home unless told otherwise."""

    def __init__(self, http: TestClient[web.Request, web.Application]) -> None:
        self._http = http

    async def ask(
        self, method: str, path: str, body: object = None, *, parameters: Json | None = None, **headers: str
    ) -> Answer:
        more: Json = {} if body is None else {"json": body}
        shown = {name.replace("_", "-"): value for name, value in headers.items()}
        asked = {name: str(value) for name, value in (parameters or {}).items()}
        async with self._http.request(method, f"/tenant/v1/{path}", params=asked, headers=shown, **more) as response:
            raw = await response.read()
            return Answer(response.status, await response.json(content_type=None) if raw else None, response.headers)

    async def get(self, path: str, **parameters: object) -> Any:  # noqa: ANN401 - any JSON value
        """Return what is answered with 200."""
        answer = await self.ask("GET", path, parameters=parameters)
        assert answer.status == 200, answer.body
        return answer.body

    async def refused(self, method: str, path: str, body: object = None, **headers: Any) -> tuple[int, str]:  # noqa: ANN401 - texts
        """Return the status and the detail of a problem."""
        answer = await self.ask(method, path, body, **headers)
        assert answer.status >= 400, answer.body
        return answer.status, answer.body["detail"]


def served(pool: Pool, waking: Waking) -> web.Application:
    app = web.Application(middlewares=[errors_to_problems])
    open_budgets(app)
    operations = (*alert_rules.operations(), *alerts.operations(waking), *device_states.operations(waking))
    serve(app.router, operations, pool, Named())
    return app
