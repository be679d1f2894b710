"""What becomes of a subscription as time goes by."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.tenancy.lifecycle import AHEAD, REMINDERS, Term, reminders_at, status_at

_START = datetime(2026, 1, 1, tzinfo=UTC)
_END = datetime(2027, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_MOMENT = timedelta(microseconds=1)


def _term(**fields: Any) -> Term:  # noqa: ANN401 - each field has its own type
    values: dict[str, Any] = {"kind": "MAIN", "status": "ACTIVE", "start": _START, "end": _END, "grace_days": 14}
    return Term(**values | fields)


@pytest.mark.parametrize("status", ["TRIAL", "ACTIVE", "GRACE"])
def test_nothing_happens_before_the_end(status: Any) -> None:  # noqa: ANN401 - one of three words
    assert status_at(_term(status=status), _END - _MOMENT) == status


@pytest.mark.parametrize("status", ["TRIAL", "ACTIVE"])
def test_grace_begins_at_the_end_and_lasts_its_days(status: Any) -> None:  # noqa: ANN401 - one of two words
    assert status_at(_term(status=status), _END) == "GRACE"
    assert status_at(_term(status=status), _END + 14 * _DAY - _MOMENT) == "GRACE"


@pytest.mark.parametrize(
    ("kind", "over"), [("MAIN", "SUSPENDED"), ("ADDON", "SUSPENDED"), ("TRIAL", "EXPIRED"), ("TEMPORARY", "EXPIRED")]
)
def test_after_the_grace_it_is_over(kind: str, over: str) -> None:
    assert status_at(_term(kind=kind, status="GRACE"), _END + 14 * _DAY) == over
    assert status_at(_term(kind=kind, grace_days=0), _END) == over


@given(at=st.datetimes(timezones=st.just(UTC), min_value=datetime(2026, 1, 2), max_value=datetime(2028, 1, 1)))  # noqa: DTZ001
def test_the_later_it_is_the_nearer_the_end_is(at: datetime) -> None:
    order = ["ACTIVE", "GRACE", "SUSPENDED"]
    term = _term()
    assert order.index(status_at(term, at)) <= order.index(status_at(term, at + _DAY))
    assert set(reminders_at(term, at)) <= set(reminders_at(term, at + _MOMENT)) or at + _MOMENT >= _END


@pytest.mark.parametrize("days", REMINDERS)
def test_each_reminder_is_due_so_many_days_before_the_end(days: int) -> None:
    due = _END - days * _DAY
    assert days not in reminders_at(_term(), due - _MOMENT)
    assert reminders_at(_term(), due)[-1] == days


def test_nothing_happens_earlier_than_is_looked_ahead() -> None:
    assert reminders_at(_term(), _END - AHEAD - _MOMENT) == []


def test_a_short_term_has_no_reminders_of_a_time_before_it() -> None:
    assert reminders_at(_term(start=_END - 10 * _DAY), _END - _MOMENT) == [7, 1]
    assert reminders_at(_term(start=_END - 7 * _DAY), _END - _MOMENT) == [1]


def test_there_is_no_reminder_of_what_ends_with_its_parent_or_has_ended() -> None:
    assert reminders_at(_term(kind="ADDON"), _END - _MOMENT) == []
    assert reminders_at(_term(), _END) == []
