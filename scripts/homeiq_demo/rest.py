"""Home Assistant's HTTP API, as its own frontend uses it."""

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import aiohttp

from .process import DemoError

USER = "demo"
PASSWORD = "demo"  # noqa: S105  the demo's log-in is for everybody to read
TOKEN_LIFE_S = 1200  # Home Assistant's access tokens live 1800 s

type Json = dict[str, Any]


class Rest:
    """Asks as the owner, after ``create_owner`` or ``log_in``."""

    def __init__(self, url: str) -> None:
        """Ask at ``url``; needs a running event loop."""
        self.url = url
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        self._client_id = f"{url}/"
        self._tokens: Json = {}
        self._tokens_until = 0.0

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def is_there(self, path: str) -> bool:
        """Return whether ``path`` answers 200 to somebody who is not logged in."""
        try:
            async with self._session.get(self.url + path) as response:
                return response.status == HTTPStatus.OK
        except aiohttp.ClientError, TimeoutError:
            return False

    async def create_owner(self) -> None:
        """Take the steps of the onboarding: create the user, log in, and finish."""
        owner = {"name": USER, "username": USER, "password": PASSWORD, "client_id": self._client_id, "language": "en"}
        answer = await self._ask("POST", "/api/onboarding/users", json=owner)
        await self._get_tokens(grant_type="authorization_code", code=answer["auth_code"])
        await self.post("/api/onboarding/analytics", {})
        done = {"client_id": self._client_id, "redirect_uri": self._client_id}
        await self.post("/api/onboarding/integration", done)

    async def log_in(self) -> None:
        """Log in as the owner with name and password."""
        flow = {
            "client_id": self._client_id,
            "handler": ["homeassistant", None],
            "redirect_uri": self._client_id,
        }
        flow_id = (await self._ask("POST", "/auth/login_flow", json=flow))["flow_id"]
        login = {"username": USER, "password": PASSWORD, "client_id": self._client_id}
        answer = await self._ask("POST", f"/auth/login_flow/{flow_id}", json=login)
        await self._get_tokens(grant_type="authorization_code", code=answer["result"])

    async def get(self, path: str, **params: str) -> Any:  # noqa: ANN401  any JSON
        """GET ``path`` with query parameters."""
        return await self.request("GET", path, params=params)

    async def post(self, path: str, body: Mapping[str, object]) -> Any:  # noqa: ANN401  any JSON
        """POST ``body`` as JSON."""
        return await self.request("POST", path, json=body)

    async def request(self, method: str, path: str, **content: object) -> Any:  # noqa: ANN401  any JSON
        """Ask as the owner; ``content`` as aiohttp takes it.

        Raises:
            DemoError: There was no answer, or a refusal.
        """
        if time.monotonic() > self._tokens_until:
            await self._get_tokens(grant_type="refresh_token", refresh_token=self._tokens["refresh_token"])
        authorization = {"Authorization": f"Bearer {self._tokens['access_token']}"}
        return await self._ask(method, path, headers=authorization, **content)

    async def _get_tokens(self, **grant: str) -> None:
        self._tokens |= await self._ask("POST", "/auth/token", data=grant | {"client_id": self._client_id})
        self._tokens_until = time.monotonic() + TOKEN_LIFE_S

    async def _ask(self, method: str, path: str, **content: Any) -> Any:  # noqa: ANN401  as aiohttp's, and any JSON
        try:
            async with self._session.request(method, self.url + path, **content) as response:
                if response.status >= HTTPStatus.BAD_REQUEST:
                    text = (await response.text())[:500]
                    raise DemoError(f"Home Assistant answered {response.status} to {method} {path}: {text}")
                return await response.json()
        except (aiohttp.ClientError, TimeoutError) as err:
            raise DemoError(f"Home Assistant does not answer to {method} {path}: {err}") from err
