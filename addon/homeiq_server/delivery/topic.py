"""Which MQTT topic an alert is published to. Pure."""

import re
from collections.abc import Mapping
from string import Formatter
from typing import Any, Final

from homeiq_server.errors import Rejected

NAMES: Final = frozenset(
    {"tenant_id", "alert_id", "change", "kind", "severity", "severity_name", "device_id", "site_id"}
)
"""What a template may have in braces; what an alert has none of becomes ``none``."""

_OWN: Final = ("homeiq/{tenant_id}/", "tenant/{tenant_id}/")
# What devices send arrives there: an alert would be taken for a device's word, and might raise the next alert.
_DEVICES: Final = "tenant/{tenant_id}/device/"
_COMES_FROM_DEVICES: Final = f"config.topic: what is below {_DEVICES} comes from devices"
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f+#/]")
_LONGEST: Final = 1_000
_WILD: Final = frozenset("+#\x00")


def check_template(template: str) -> None:
    """Return when a template can be used.

    Raises:
        Rejected: It has a wildcard, an unknown name, or leaves the tenant's own topics.
    """
    names = _names(template)
    if unknown := names - NAMES:
        raise Rejected(f"config.topic: there is no {{{min(unknown)}}}; there are {', '.join(sorted(NAMES))}")
    if _WILD & set(template) or not template.isprintable() or "//" in template or template.endswith("/"):
        raise Rejected("config.topic: a topic has no wildcard, no empty part and no unprintable character")
    if not template.startswith(_OWN):
        raise Rejected(f"config.topic: begin with {' or '.join(_OWN)}")
    if template.startswith(_DEVICES):
        raise Rejected(_COMES_FROM_DEVICES)


def topic_of(template: str, tenant_id: str, payload: Mapping[str, Any]) -> str:
    """Return the topic for an alert, which is below the tenant's own prefix whatever the alert says.

    Raises:
        Rejected: The template cannot be used for it, or the topic is too long.
    """
    check_template(template)
    values = {name: _part(payload.get(name)) for name in NAMES}
    topic = template.format_map(values | {"alert_id": _part(payload.get("id")), "tenant_id": tenant_id})
    if topic.startswith(_DEVICES.format(tenant_id=tenant_id)):  # a device may be called "device"
        raise Rejected(_COMES_FROM_DEVICES)
    if len(topic.encode(errors="replace")) > _LONGEST:
        raise Rejected(f"the topic is longer than {_LONGEST} bytes")
    return topic


def _part(value: object) -> str:
    return "none" if value is None else _UNFIT.sub("_", str(value)) or "none"


def _names(template: str) -> set[str]:
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as err:
        raise Rejected("config.topic: a brace is not closed") from err
    if any(form or conversion for _, _, form, conversion in parsed):
        raise Rejected("config.topic: give names alone in braces")
    return {name for _, name, _, _ in parsed if name is not None}
