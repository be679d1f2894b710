"""The way to the store: how long it waits between attempts, and what it says meanwhile."""

import logging

import pytest

from homeiq_server.errors import HomeIQError, Misconfigured, RetryLater
from homeiq_server.store.store import Access, Store

_ACCESS = Access(url="postgresql://homeiq%40home:marker@h/d", owner_url="postgresql://owner:marker@h/d")


def _pauses(*errors: Exception) -> list[float]:
    """Return the waits after failures in a row."""
    store, pauses = Store(_ACCESS), []
    for err in errors:
        store._failed(err)
        pauses.append(store._pause())
    return pauses


def test_the_wait_doubles_from_one_second_to_thirty() -> None:
    assert _pauses(*[RetryLater("away")] * 8) == [1, 2, 4, 8, 16, 30, 30, 30]
    assert _pauses(*[RetryLater("away")] * 5_000)[-1] == 30


def test_what_a_person_must_mend_is_tried_again_every_minute() -> None:
    assert _pauses(Misconfigured("no"), Misconfigured("no"), RetryLater("away")) == [60, 60, 4]


@pytest.mark.parametrize(
    ("err", "state", "error"),
    [
        (RetryLater("away"), "unreachable", "away"),
        (Misconfigured("refused"), "misconfigured", "refused"),
        (ZeroDivisionError("marker"), "unreachable", "a fault of our own, ZeroDivisionError, of which the log tells"),
    ],
)
def test_each_failure_has_its_state_and_reason(err: Exception, state: str, error: str) -> None:
    store = Store(_ACCESS)
    store._failed(err)
    assert (store.state, store.error) == (state, error)


def test_an_outage_is_told_once_for_each_state(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    store = Store(_ACCESS)
    away: HomeIQError = RetryLater("away")
    for err in (away, away, away, Misconfigured("refused"), Misconfigured("refused"), away):
        store._failed(err)
    store._begins()
    levels = [record.levelname for record in caplog.records]
    assert levels == ["WARNING", "WARNING", "WARNING", "INFO"]
    assert "back after 6 attempts" in caplog.text


async def test_who_asks_while_it_is_down_is_told_why_and_when_to_come_back() -> None:
    store = Store(_ACCESS)
    store._failed(RetryLater("the disk is gone"))
    with pytest.raises(RetryLater, match="the store is down: the disk is gone") as caught:
        async with store.tenant("home"):
            raise AssertionError
    assert caught.value.after


def test_the_role_is_taken_out_of_the_address_and_the_passwords_show_nowhere() -> None:
    assert _ACCESS.role == "homeiq@home"
    assert "marker" not in f"{_ACCESS!r} {_ACCESS} {Store(_ACCESS)!r}"
