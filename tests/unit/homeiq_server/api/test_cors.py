from aiohttp import web
from pytest_aiohttp.plugin import AiohttpClient

from homeiq_server.api import cors

LISTED = "https://grafana.example"


async def test_a_streamed_answer_may_be_read_by_a_listed_origin(aiohttp_client: AiohttpClient) -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write_eof(b"values")
        return answer

    app = web.Application(middlewares=[cors.preflights((LISTED,))])
    cors.allow(app, (LISTED,))
    app.router.add_get("/", stream)
    client = await aiohttp_client(app)

    answer = await client.get("/", headers={"Origin": LISTED})
    assert answer.headers["Access-Control-Allow-Origin"] == LISTED
    assert answer.headers["Vary"] == "Origin"
