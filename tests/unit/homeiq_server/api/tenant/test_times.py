"""Times that callers give can be computed with, or are refused."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.api.tenant.times import Moment, checked
from homeiq_server.errors import Rejected


@given(st.datetimes(timezones=st.timezones()))
def test_a_time_becomes_the_same_in_utc_or_is_refused(at: datetime) -> None:
    try:
        kept = checked(at, field="at")
    except Rejected as err:
        assert str(err).startswith("at: ")  # noqa: PT017 - either is right
        assert not 2000 < at.year < 2199
    else:
        assert kept == at
        assert kept.tzinfo is UTC
        assert 2000 <= kept.year < 2200


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59.999999-23:59", "0001-01-01T00:00:00+23:59"])
def test_a_time_beyond_those_of_python_is_refused(text: str) -> None:
    with pytest.raises(Rejected):
        checked(msgspec.convert(text, Moment.__value__), field="at")
