"""Payloads of the quarantine are shown as they came, and never with the tokens that are in them."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.api.tenant.masking import shown
from homeiq_server.credentials import new_api_token, new_token

SECRET = new_token("device")


def text_of(payload: bytes, *, is_whole: bool = True) -> str:
    return shown(payload, is_whole=is_whole).text


@pytest.mark.parametrize("name", ["token", "provision_token", "TOKEN", "api_token"])
@pytest.mark.parametrize("value", ['"letmein"', '"let\\"letmein"', "letmein", "7letmein", '["letmein"]'])
@pytest.mark.parametrize("gap", ["", " ", "\n\t "])
def test_the_value_of_a_token_is_not_shown(name: str, value: str, gap: str) -> None:
    text = text_of(f'{{"{name}"{gap}:{gap}{value}, "metrics": {{"t": 1}}}}'.encode())
    assert "letmein" not in text
    assert '"metrics": {"t": 1}' in text
    assert name in text


@pytest.mark.parametrize(
    "payload",
    [
        '{"token": "letmein',
        '{"a": 1 "token": "letmein"}',
        '"token":"letmein"',
        "token=letmein&t=1",
        '{"a": "x", y" , "token": "letmein"}',
    ],
)
def test_nor_is_it_in_what_is_no_json(payload: str) -> None:
    assert "letmein" not in text_of(payload.encode())


@pytest.mark.parametrize("secret", [SECRET, new_token("key"), new_api_token("acme")])
@pytest.mark.parametrize(
    "around", ['{{"\\u0074oken": "{}"}}', '{{"key": "{}"}}', "{}", '{{"p": "{{\\"token\\":\\"{}\\"}}"}}']
)
def test_what_has_the_form_of_a_token_is_shown_nowhere(secret: str, around: str) -> None:
    text = text_of(around.format(secret).encode())
    assert secret[4:] not in text
    assert "***" in text


@pytest.mark.parametrize(
    "payload", [b'{"token": "' + SECRET.encode() + b'", "t": "\xff"}', f'"{SECRET}"'.encode("utf-16")]
)
def test_what_is_not_utf_8_is_shown_as_base64_without_the_token(payload: bytes) -> None:
    text, encoding = shown(payload, is_whole=True)
    assert encoding == "base64"
    assert SECRET[4:].encode() not in base64.b64decode(text).replace(b"\x00", b"")


@given(st.text())
def test_all_else_is_shown_as_it_came(text: str) -> None:
    if "token" not in text.lower():
        assert shown(text.encode(), is_whole=True) == (text, "utf-8")


def test_metrics_with_similar_names_are_shown() -> None:
    payload = '{"metrics": {"tokens": 5, "token_count": 7}}'
    assert text_of(payload.encode()) == payload


@given(st.text(alphabet="aé€😀", max_size=20), st.integers(0, 80))
def test_a_part_that_ends_within_a_character_is_still_text(text: str, end: int) -> None:
    part = text.encode()[:end]
    found, encoding = shown(part, is_whole=False)
    assert encoding == "utf-8"
    assert text.startswith(found)
    assert len(part) - len(found.encode()) <= 3


@pytest.mark.parametrize("unit", ['\\"', '"', "token", 'token"', 'token":', "token : ", '"token":"\\', "hid_", "hiq."])
def test_a_payload_that_is_meant_to_take_long_does_not(unit: str) -> None:
    payload = (unit * 4_000_000)[:4_000_000].encode()
    assert shown(payload, is_whole=True)  # the square of that many steps would take days


def test_json_that_is_masked_stays_json() -> None:
    payload = json.dumps({"token": SECRET, "provision_token": 7, "metrics": {"t": 1.5}})
    assert json.loads(text_of(payload.encode())) == {"token": "***", "provision_token": "***", "metrics": {"t": 1.5}}
