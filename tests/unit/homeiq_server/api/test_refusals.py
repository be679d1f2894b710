"""What is asked of the disk, and is not to be had now, is answered with when to come again."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NoReturn, cast

import aiohttp
import pytest

from homeiq_server import token
from homeiq_server.api.routes import Served, api
from homeiq_server.errors import RetryLater
from homeiq_server.intake import EventIntake, HistoryOff, KnownLabels, StatisticsIntake
from homeiq_server.model import Intake, Labels
from homeiq_server.serving import Listener
from tests.unit.homeiq_server.server_builders import batch, event, row, statistics


class Refusing:
    """A store whose disk does not answer."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever is asked of it
        return self._refuse

    async def labels(self, _source: str) -> dict[str, Labels]:
        return {}

    async def put(self, _intake: Intake) -> NoReturn:
        await self._refuse()

    async def _refuse(self, *_: object) -> NoReturn:
        raise RetryLater("the disk does not answer", after=6.5)


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    store, nothing = Refusing(), cast("Any", None)
    labels = KnownLabels(store)
    served = Served(
        intake=EventIntake(store, HistoryOff, labels),
        backfill=EventIntake(store, HistoryOff, labels, name="backfill"),
        statistics=StatisticsIntake(store, lambda: None),
        lines=nothing,
        gaps=store,
        dead_letters=store,
        status=lambda: nothing,
        server_id="",
        token=token.load(tmp_path),
    )
    listener = Listener(api(served), host="127.0.0.1", port=0)
    await listener.start()
    yield listener.port
    await listener.stop()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "events", batch([event()])),
        ("POST", "backfill", batch([event()])),
        ("POST", "statistics", statistics([row(mean=1)])),
        ("GET", "gaps?source=home&start_us=1&end_us=2", None),
        ("POST", "gaps/complete", {"source": "home", "start_us": 1, "end_us": 2, "missed": 0}),
        ("GET", "dead-letters", None),
        ("POST", "dead-letters/replay", {"filter": {}}),
        ("POST", "dead-letters/discard", {"ids": [1]}),
    ],
)
async def test_a_store_that_refuses_now_is_a_503_with_the_time_to_wait(
    tmp_path: Path, port: int, method: str, path: str, body: object
) -> None:
    headers = {"Authorization": f"Bearer {(tmp_path / 'token').read_text().strip()}"}
    content = None if body is None else json.dumps(body).encode()
    url = f"http://127.0.0.1:{port}/api/v1/{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, data=content, headers=headers) as answer,
    ):
        assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
        problem = await answer.json(content_type="application/problem+json")
    assert (problem["type"], problem["detail"]) == ("about:blank#retry-later", "the disk does not answer")
