"""Secrets of devices and programs."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.credentials import (
    DEVICE_ID,
    SITE_ID,
    TENANT_ID,
    digest,
    matches,
    new_activation_code,
    new_api_token,
    new_token,
    normal_code,
    tenant_of,
)


def test_tokens_tell_what_they_are_and_are_never_the_same() -> None:
    assert re.fullmatch(r"hid_[A-Za-z0-9_-]{43}", new_token("device"))
    assert re.fullmatch(r"hik_[A-Za-z0-9_-]{43}", new_token("key"))
    assert len({new_token("device") for _ in range(1_000)}) == 1_000


def test_an_activation_code_has_no_letter_that_is_mistaken_for_another() -> None:
    codes = {new_activation_code() for _ in range(2_000)}
    assert len(codes) == 2_000
    assert all(re.fullmatch(r"[2-9A-HJKMNP-Z]{4}-[2-9A-HJKMNP-Z]{5}", code) for code in codes)
    assert not {"0", "O", "1", "I", "L"} & set("".join(codes))


def test_a_code_is_the_same_however_it_is_typed() -> None:
    code = new_activation_code()
    for typed in (code, code.lower(), code.replace("-", ""), f" {code.replace('-', ' - ')} "):
        assert normal_code(typed) == code


@given(st.text())
def test_a_secret_matches_its_own_digest_and_no_other(text: str) -> None:
    stored = digest(text)
    assert len(stored) == 32
    assert matches(text, stored)
    assert not matches(text + "x", stored)
    assert not matches(text, None)


def test_nothing_that_a_body_can_hold_is_too_odd_to_be_compared() -> None:
    assert not matches("\ud800", digest("x"))
    assert normal_code("ß" * 5) != normal_code("x")


@given(st.from_regex(TENANT_ID, fullmatch=True))
def test_an_api_token_names_its_tenant(tenant_id: str) -> None:
    assert tenant_of(new_api_token(tenant_id)) == tenant_id


@pytest.mark.parametrize(
    "claim", ["", "hiq.", "hiq.home.short", f"hiq.Home.{'x' * 43}", f"hiq.home.{'x' * 44}", f"hiq.home.{'x' * 43}\n"]
)
def test_what_is_no_api_token_names_nobody(claim: str) -> None:
    assert tenant_of(claim) is None


@pytest.mark.parametrize("text", ["", "-x", "a b", "a\n", "ä", "a/b", "a" * 129])
def test_what_an_id_is_not(text: str) -> None:
    assert not DEVICE_ID.fullmatch(text)
    assert not SITE_ID.fullmatch(text)
    assert not TENANT_ID.fullmatch(text)


def test_the_longest_ids() -> None:
    assert DEVICE_ID.fullmatch("A" + "_.:-" * 31 + "abc")
    assert TENANT_ID.fullmatch("a" * 63)
    assert not TENANT_ID.fullmatch("a" * 64)
