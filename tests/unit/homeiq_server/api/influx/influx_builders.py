"""A client that speaks as InfluxDB's clients do."""

import io
from collections.abc import AsyncIterator
from typing import Any

from tests.unit.homeiq_server.server_builders import Answer, Client, Json

V1, V2 = "/write", "/api/v2/write"
NOW = 1_790_000_000


def text_of(answer: Answer) -> str:
    """Return the error in whichever form it is."""
    return str(answer.body.get("error") or answer.body["message"])


class Sender:
    """Sends lines."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.token = client.bearer["Authorization"].partition(" ")[2]

    async def ask(self, method: str, path: str, **more: Any) -> Answer:  # noqa: ANN401  # aiohttp's own arguments
        headers = {"Authorization": f"Token {self.token}", **more.pop("headers", {})}
        return await self.client.ask(method, self.client.api + path, headers=headers, **more)

    async def write(self, body: bytes, path: str = V2, *, precision: str = "s", **headers: str) -> Answer:
        params = {"precision": precision} if precision else {}
        return await self.ask("POST", path, params=params, data=io.BytesIO(body), headers=headers)

    async def write_in_chunks(self, chunks: list[bytes], path: str = V2, **headers: str) -> Answer:
        async def sent() -> AsyncIterator[bytes]:
            for chunk in chunks:
                yield chunk

        return await self.ask("POST", path, params={"precision": "s"}, data=sent(), headers=headers)

    async def channel(self) -> Json:
        """Return the counters of the lines."""
        answer: Json = (await self.client.status())["intake"].get("line_protocol", {})
        return answer
