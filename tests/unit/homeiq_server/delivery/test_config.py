"""What an integration must know to be used."""

from typing import Any

import pytest

from homeiq_server.delivery.config import Kind, check_config
from homeiq_server.errors import Rejected


@pytest.mark.parametrize(
    ("kind", "given", "whole"),
    [
        ("webhook", {"url": "https://example.com/hook?a=1"}, {"url": "https://example.com/hook?a=1"}),
        ("mqtt", {}, {"topic": "homeiq/{tenant_id}/alerts/{alert_id}", "qos": 1, "retain": False}),
        (
            "email",
            {"recipients": ["a.b+c@example.com"]},
            {"recipients": ["a.b+c@example.com"], "subject_prefix": "[HomeIQ]"},
        ),
        ("home_assistant", {}, {}),
    ],
)
def test_a_config_is_kept_with_what_was_left_out(kind: Kind, given: dict[str, Any], whole: dict[str, Any]) -> None:
    assert check_config(kind, given) == whole


@pytest.mark.parametrize(
    ("kind", "given", "field"),
    [
        ("webhook", {}, "config"),
        ("webhook", {"url": 7}, "config.url"),
        ("webhook", {"url": "ftp://example.com/"}, "config.url"),
        ("webhook", {"url": "https://"}, "config.url"),
        ("webhook", {"url": "https://example.com:0/"}, "config.url"),
        ("webhook", {"url": "https://example.com:99999/"}, "config.url"),
        ("webhook", {"url": "https://me:secret@example.com/"}, "config.url"),
        ("webhook", {"url": "https://example.com/#part"}, "config.url"),
        ("webhook", {"url": "https://example.com/a b"}, "config.url"),
        ("webhook", {"url": "https://example.com\\@10.0.0.1/"}, "config.url"),
        ("webhook", {"url": "https://example.com/\r\nX: y"}, "config.url"),
        ("webhook", {"url": "https://example.com/" + "a" * 2_000}, "config.url"),
        ("webhook", {"url": "https://[::1/"}, "config.url"),
        ("webhook", {"url": "https://example.com/", "secret": "x"}, "config"),
        ("mqtt", {"topic": "elsewhere"}, "config.topic"),
        ("mqtt", {"qos": 2}, "config.qos"),
        ("email", {"recipients": []}, "config.recipients"),
        ("email", {"recipients": [f"a{n}@example.com" for n in range(21)]}, "config.recipients"),
        ("email", {"recipients": ["a@example.com\r\nBcc: b@example.com"]}, "config.recipients"),
        ("email", {"recipients": ["a@example.com\n"]}, "config.recipients"),
        ("email", {"recipients": ["a@example.com,b@example.com"]}, "config.recipients"),
        ("email", {"recipients": ["Somebody <a@example.com>"]}, "config.recipients"),
        ("email", {"recipients": ["a@example.com"], "subject_prefix": "x\r\nBcc: y"}, "config.subject_prefix"),
        ("home_assistant", {"url": "x"}, "config"),
    ],
)
def test_a_config_that_cannot_be_used_is_refused_by_the_name_of_its_field(
    kind: Kind, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(Rejected) as refused:
        check_config(kind, given)
    assert str(refused.value).startswith(field)
