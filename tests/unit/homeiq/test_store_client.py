"""What the app's answers about devices have to look like."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from custom_components.homeiq.client import AppClient
from custom_components.homeiq.errors import NotHomeIQ
from custom_components.homeiq.store_client import StoreClient
from tests.unit.homeiq.fake_store import device, finding
from tests.unit.homeiq.test_client import Anybody, anybody, says

__all__ = ["anybody"]  # the fixture

INSIGHTS = {"devices_total": 1, "devices_unhealthy": 0, "batteries": [], "cursor": 0}

type Asking = Callable[[StoreClient], Coroutine[Any, Any, object]]


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda store: store.findings(state="open"), {"findings": [{}], "next_cursor": None}),
        (
            lambda store: store.findings(state="open"),
            {"findings": [finding("f1", severity="bad")], "next_cursor": None},
        ),
        (lambda store: store.findings(state="open"), []),
        (lambda store: store.insights(), {**INSIGHTS, "cursor": None, "findings": [], "next_cursor": None}),
        (lambda store: store.insights(), {**INSIGHTS, "batteries": [{}], "findings": [], "next_cursor": None}),
        (lambda store: store.finding_changes(7), {"changes": [{"cursor": 8}], "cursor": 8}),
        (lambda store: store.finding_changes(7), {"changes": []}),
        (lambda store: store.devices(), {"devices": [{}], "next_cursor": None}),
        (lambda store: store.devices(), {"devices": [device("d1")]}),
        (lambda store: store.device("d1"), []),
    ],
)
async def test_half_an_answer_is_none(anybody: tuple[Anybody, AppClient], ask: Asking, answer: object) -> None:
    somebody, client = anybody
    somebody.reply = says(200, answer)

    with pytest.raises(NotHomeIQ):
        await ask(StoreClient(client))


@pytest.mark.parametrize(("answer", "revision"), [({"revision": 7}, 7), ({"revision": None}, None), ([], None)])
async def test_a_revision_is_asked_for_by_source(
    anybody: tuple[Anybody, AppClient], answer: object, revision: int | None
) -> None:
    somebody, client = anybody
    somebody.reply = says(200, answer)

    assert await StoreClient(client).registry_revision("a home & more") == revision
    assert dict(somebody.asked[0].query) == {"source": "a home & more"}


async def test_the_findings_of_a_home_that_is_all_wrong_are_not_read_for_ever(
    anybody: tuple[Anybody, AppClient],
) -> None:
    somebody, client = anybody
    page = json.dumps({"findings": [finding(f"f{number}") for number in range(200)], "next_cursor": "more"})
    somebody.reply = says(200, page)

    assert len(await StoreClient(client).findings(state="open")) == 1_000
    assert len(somebody.asked) == 5
