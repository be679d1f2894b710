"""What every answer means, whoever gives it."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import ClientSession, web

from custom_components.homeiq.client import AppClient
from custom_components.homeiq.coverage import Coverage, Stretch
from custom_components.homeiq.errors import (
    AppError,
    Busy,
    CannotConnect,
    InvalidAuth,
    NotFound,
    NotHomeIQ,
    OutOfTurn,
    Refused,
    StaleRevision,
    TooLarge,
)

GOOD_INFO = {"server_id": "5e7e", "name": "HomeIQ", "version": "0.1.0", "api_version": 1, "min_api_version": 1}
GOOD_STATUS: dict[str, Any] = {
    "version": "0.1.0",
    "lines": {"written": 1, "queued": 2, "dead": 3, "dropped": 4},
    "rates": {"events_per_minute": 1.5},
    "latency": {"write_p99_s": None},
    "database": {"state": "ok", "error": None},
    "reasons": [],
    "spool": {"fill": 0.1},
    "gaps": {"open": 0},
    "missed": 0,
}

type Reply = Callable[[], web.Response]


class Anybody:
    """Answers every request the same way, and keeps what was asked."""

    def __init__(self) -> None:
        self.reply: Reply = web.Response
        self.asked: list[web.Request] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        await request.read()
        return self.reply()


@pytest.fixture
async def anybody() -> AsyncIterator[tuple[Anybody, AppClient]]:
    """Somebody who answers, and a client that asks."""
    somebody = Anybody()
    server = web.Application(client_max_size=8 * 1024 * 1024)
    server.router.add_route("*", "/{path:.*}", somebody.answer)
    runner = web.AppRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with ClientSession() as session:
        yield somebody, AppClient(session, f"http://127.0.0.1:{runner.addresses[0][1]}/base", "secret")
    await runner.cleanup()


def says(status: int = 200, body: object = None, **headers: str) -> Reply:
    text = body if isinstance(body, str) else json.dumps(body)
    return lambda: web.Response(status=status, text=text, headers={k.replace("_", "-"): v for k, v in headers.items()})


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (says(400, {"detail": "events: not a list"}), Refused),
        (says(401), InvalidAuth),
        (says(403), InvalidAuth),
        (says(404, "<html>"), NotHomeIQ),
        (says(404, {"detail": "Not Found"}), NotHomeIQ),
        (says(404, {"status": 404, "detail": "the store is switched off"}), NotFound),
        (says(302, "", Location="http://127.0.0.1:1/"), NotHomeIQ),
        (says(409, {"expected": 4}), OutOfTurn),
        (says(409, "[]"), OutOfTurn),
        (says(409, {"revision": 7}), StaleRevision),
        (says(409, {"revision": None}), StaleRevision),
        (says(413), TooLarge),
        (says(415), Refused),
        (says(429), Busy),
        (says(500, "oops"), Busy),
        (says(502), CannotConnect),
        (says(503), Busy),
        (says(504), CannotConnect),
        (says(200, "no json"), NotHomeIQ),
        (says(200, []), NotHomeIQ),
        (says(200, "[" * 100_000), NotHomeIQ),
        (says(200, {"accepted": 1}), NotHomeIQ),
        (says(200, {"duplicates": 0, "rejected": [7]}), NotHomeIQ),
    ],
)
async def test_an_answer_to_a_batch_means_one_thing(
    anybody: tuple[Anybody, AppClient], reply: Reply, error: type[AppError]
) -> None:
    somebody, client = anybody
    somebody.reply = reply

    with pytest.raises(AppError) as caught:
        await client.send(b"{}")
    assert type(caught.value) is error
    assert "secret" not in str(caught.value)


async def test_a_receipt_names_what_was_rejected(anybody: tuple[Anybody, AppClient]) -> None:
    somebody, client = anybody
    rejected = [
        {"index": 0, "entity_id": "sensor.odd", "reason": "odd"},
        {"index": 1, "entity_id": None, "reason": "?"},
    ]
    somebody.reply = says(200, {"accepted": 3, "duplicates": 2, "rejected": rejected})
    receipt = await client.send(b"{}")

    assert receipt.duplicates == 2
    assert receipt.rejected == (("sensor.odd", "odd"), ("?", "?"))


async def test_the_past_goes_where_the_past_belongs(anybody: tuple[Anybody, AppClient]) -> None:
    somebody, client = anybody
    somebody.reply = says(200, {"accepted": 0, "duplicates": 0, "rejected": []})
    await client.backfill(b"{}")
    await client.statistics(b"{}")
    somebody.reply = says(200, {"closed": 1, "open": 0})
    await client.complete("home", 1, 2, None)

    assert [asked.path for asked in somebody.asked] == [
        "/base/api/v1/backfill",
        "/base/api/v1/statistics",
        "/base/api/v1/gaps/complete",
    ]


async def test_gaps_are_asked_for_by_source_and_time(anybody: tuple[Anybody, AppClient]) -> None:
    somebody, client = anybody
    gap = {"start_us": 3, "end_us": 5, "events": 7, "reason": "overflow"}
    somebody.reply = says(200, {"uncovered": [gap], "covered_since_us": 2})
    coverage = await client.coverage("a home & more", 1, 9)

    assert dict(somebody.asked[0].query) == {"source": "a home & more", "start_us": "1", "end_us": "9"}
    assert coverage == Coverage(2, (Stretch(3, 5, 7),))


async def test_half_a_coverage_is_none(anybody: tuple[Anybody, AppClient]) -> None:
    somebody, client = anybody
    somebody.reply = says(200, {"uncovered": [{}], "covered_since_us": 2})

    with pytest.raises(NotHomeIQ):
        await client.coverage("home", 1, 9)


async def test_a_large_batch_goes_out_whole_and_with_its_length(anybody: tuple[Anybody, AppClient]) -> None:
    somebody, client = anybody
    somebody.reply = says(200, {"accepted": 0, "duplicates": 0, "rejected": []})
    await client.send(b" " * 4 * 1024 * 1024)

    (asked,) = somebody.asked
    assert asked.content_length == 4 * 1024 * 1024
    assert asked.path == "/base/api/v1/events"


async def test_the_token_goes_along_where_it_is_needed_only(anybody: tuple[Anybody, AppClient]) -> None:
    somebody, client = anybody
    somebody.reply = says(200, GOOD_INFO)
    await client.info()
    somebody.reply = says(200, GOOD_STATUS)
    await client.status()

    assert [asked.headers.get("Authorization") for asked in somebody.asked] == [None, "Bearer secret"]


@pytest.mark.parametrize(
    ("advice", "after"), [("7", 7.0), ("99999", 300.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None)]
)
async def test_the_advice_when_to_come_again_is_kept_within_reason(
    anybody: tuple[Anybody, AppClient], advice: str, after: float | None
) -> None:
    somebody, client = anybody
    somebody.reply = says(503, {}, Retry_After=advice)

    with pytest.raises(Busy) as caught:
        await client.send(b"{}")
    assert caught.value.after == after


@pytest.mark.parametrize("missing", list(GOOD_STATUS))
async def test_half_a_status_is_none(anybody: tuple[Anybody, AppClient], missing: str) -> None:
    somebody, client = anybody
    somebody.reply = says(200, {key: value for key, value in GOOD_STATUS.items() if key != missing})

    with pytest.raises(NotHomeIQ):
        await client.status()


async def test_a_count_without_end_is_no_count(anybody: tuple[Anybody, AppClient]) -> None:
    somebody, client = anybody
    somebody.reply = says(200, json.dumps(GOOD_STATUS).replace('"written": 1', '"written": Infinity'))

    with pytest.raises(NotHomeIQ):
        await client.status()


async def test_a_closed_session_is_an_app_that_cannot_be_reached() -> None:
    session = ClientSession()
    await session.close()

    with pytest.raises(CannotConnect):
        await AppClient(session, "http://127.0.0.1:1", "secret").info()
