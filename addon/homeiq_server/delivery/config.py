"""What an integration must know to be used, by its kind. Pure."""

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from homeiq_server.errors import Rejected
from homeiq_server.wire.faults import of_body

from .topic import check_template

type Kind = Literal["webhook", "mqtt", "email", "home_assistant"]
# In Python $ also matches before a line's end, which the (?!) forbids.
# A name in quotes, a comment or a list could mean another address than it looks like: none is taken.
type Address = Annotated[
    str, Meta(max_length=254, pattern=r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,189}$(?!\n)")
]
type OneLine = Annotated[str, Meta(max_length=80, pattern=r"^[^\x00-\x1f\x7f\u2028\u2029]*$(?!\n)")]

_URL: Final = re.compile(r"https?://[\x21-\x7e]{1,1990}", re.IGNORECASE)


class WebhookConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to post.

    Attributes:
        url: An ``https`` address, or an ``http`` one that the operator allows, without user and password.
    """

    url: Annotated[str, Meta(min_length=8, max_length=2_000)]


class MqttConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to publish.

    Attributes:
        topic: Below ``homeiq/{tenant_id}/`` or ``tenant/{tenant_id}/``, with names of ``topic.NAMES`` in braces.
        qos: 0 or 1.
        retain: Whether the broker keeps the newest.
    """

    topic: Annotated[str, Meta(min_length=1, max_length=500)] = "homeiq/{tenant_id}/alerts/{alert_id}"
    qos: Literal[0, 1] = 1
    retain: bool = False


class EmailConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to write.

    Attributes:
        recipients: Each sees the others.
        subject_prefix: What the subject begins with.
    """

    recipients: Annotated[list[Address], Meta(min_length=1, max_length=20)]
    subject_prefix: OneLine = "[HomeIQ]"


class HomeAssistantConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Home Assistant fetches its own, and needs nothing."""


_CONFIGS: Final[dict[Kind, type[Struct]]] = {
    "webhook": WebhookConfig,
    "mqtt": MqttConfig,
    "email": EmailConfig,
    "home_assistant": HomeAssistantConfig,
}


def check_config(kind: Kind, given: Mapping[str, object]) -> dict[str, object]:
    """Return the whole config of an integration, with what was left out.

    Raises:
        Rejected: It cannot be used; the text names the field.
    """
    try:
        config = msgspec.convert(given, _CONFIGS[kind])
    except msgspec.ValidationError as err:
        raise Rejected(of_body(err, whole="config", within="config")) from err
    match config:
        case WebhookConfig():
            _check_url(config.url)
        case MqttConfig():
            check_template(config.topic)
        case _:
            pass
    whole: dict[str, object] = msgspec.to_builtins(config)
    return whole


def _check_url(url: str) -> None:
    fault = "config.url: give an http:// or https:// address"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as err:
        raise Rejected(fault) from err
    if not _URL.fullmatch(url) or not parts.hostname or port == 0 or "\\" in url:
        raise Rejected(fault)
    if "@" in parts.netloc:
        raise Rejected("config.url: user and password do not belong into the address, which is shown")
    if parts.fragment:
        raise Rejected("config.url: leave out what begins with #, which is never sent")
