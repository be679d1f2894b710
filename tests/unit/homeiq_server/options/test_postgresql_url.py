"""The address of a PostgreSQL: any role and password can be in it, and none of them is ever shown."""

from urllib.parse import quote, unquote, urlsplit

import pytest
import voluptuous as vol
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.options.checks import postgresql_url

_WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@given(user=_WORDS, password=_WORDS)
def test_every_role_and_password_can_be_written(user: str, password: str) -> None:
    parts = urlsplit(postgresql_url(f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@host/homeiq"))
    assert (unquote(parts.username or ""), unquote(parts.password or ""), parts.hostname) == (user, password, "host")


@given(user=_WORDS, password=_WORDS)
def test_an_address_that_is_accepted_as_it_stands_has_the_host_that_stands_in_it(user: str, password: str) -> None:
    try:
        parts = urlsplit(postgresql_url(f"postgresql://{user}:{password}@host/homeiq"))
    except vol.Invalid:
        return
    assert (parts.hostname, parts.path) == ("host", "/homeiq")


@pytest.mark.parametrize("password", ["p@ss", "p#ss", "p/ss", "p?ss", "p[ss"])
def test_what_is_wrong_with_a_password_is_said_without_it(password: str) -> None:
    with pytest.raises(vol.Invalid) as caught:
        postgresql_url(f"postgresql://homeiq:{password}@host/homeiq")
    assert "ss" not in str(caught.value).replace("address", "").replace("password", "")
