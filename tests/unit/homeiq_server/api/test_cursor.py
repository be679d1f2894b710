"""Cursors come back as they were given, and what is none is refused."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.api.cursor import cursor_of, read_cursor
from homeiq_server.errors import Rejected

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(name=TEXT, id_=TEXT)
def test_any_key_of_texts_comes_back(name: str, id_: str) -> None:
    cursor = cursor_of((name, id_))
    assert read_cursor(cursor, tuple[str, str]) == (name, id_)
    assert cursor.isascii()
    assert not set(cursor) & set("+/=&?# ")


@given(at=st.datetimes(timezones=st.just(UTC)), id_=st.uuids())
def test_any_key_of_a_time_and_an_id_comes_back_to_the_microsecond(at: datetime, id_: UUID) -> None:
    assert read_cursor(cursor_of((at, str(id_))), tuple[datetime, UUID]) == (at, id_)


@given(text=st.text(max_size=50))
def test_any_other_text_is_refused_or_a_key(text: str) -> None:
    try:
        key = read_cursor(text, tuple[str, str])
    except Rejected as err:
        assert str(err).startswith("cursor: ")  # noqa: PT017 - a text may be one of ours by chance
    else:
        assert isinstance(key, tuple)


@pytest.mark.parametrize("key", [["a"], ["a", "b", "c"], ["a", 1], {"a": "b"}, None, "ab"])
def test_a_key_of_another_shape_is_refused(key: object) -> None:
    with pytest.raises(Rejected, match=r"^cursor: "):
        read_cursor(cursor_of(key), tuple[str, str])


def test_without_a_cursor_there_is_no_key() -> None:
    assert read_cursor(None, tuple[str, str]) is None
