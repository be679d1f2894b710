"""What a message says, once it is known to be a device's."""

import math
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeIs

from .envelope import Body
from .fault import Fault
from .message import Reason, Value
from .topic import TELEMETRY

LONGEST_NAME: Final = 128
LONGEST_TEXT: Final = 255

_OWN: Final = frozenset(
    (
        *("version", "ts", "tenant_id", "device_id", "msg_type", "site_id", "seq", "token", "provision_token"),
        *("metrics", "lat", "lng", "latitude", "longitude"),
    )
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NO_METRICS: Final[Mapping[str, Value]] = {}
_MOST_LATITUDE: Final = 90
_MOST_LONGITUDE: Final = 180


class Content(NamedTuple):
    """What a device said.

    Attributes:
        metrics: By name.
        position: Latitude and longitude, in degrees.
    """

    metrics: Mapping[str, Value]
    position: tuple[float, float] | None


def content_of(body: Body, msg_type: str, most: int) -> Content | Fault:
    """Read metrics and position.

    Telemetry without ``metrics`` whose members are all plain values has them as its metrics: so firmware sends that
    knows nothing of this form.

    Args:
        body: The object.
        msg_type: As the topic says; a ``msg_type`` in the object must be the same.
        most: How many metrics there may be.
    """
    if body.get("msg_type", msg_type) != msg_type:
        return Fault(Reason.MALFORMED, "its msg_type is another than that of its topic")
    position = _position(body)
    if isinstance(position, Fault):
        return position
    metrics = body.get("metrics")
    if metrics is None:
        metrics = _plain(body) if msg_type == TELEMETRY else _NO_METRICS
    if not isinstance(metrics, dict):
        if metrics is _NO_METRICS:
            return Content(_NO_METRICS, position)
        return Fault(Reason.MALFORMED, "it needs metrics, an object of numbers, switches and texts by name")
    if len(metrics) > most:
        return Fault(Reason.TOO_MANY_METRICS, f"it has {len(metrics)} metrics, at most {most} are taken")
    return _fault(metrics) or Content(metrics, position)


def _plain(body: Body) -> dict[str, Any] | None:
    metrics = {name: value for name, value in body.items() if name not in _OWN}
    return None if any(isinstance(value, (dict, list)) for value in metrics.values()) else metrics


def _fault(metrics: dict[str, Any]) -> Fault | None:
    for name, value in metrics.items():
        if not (name.isprintable() and 0 < len(name) <= LONGEST_NAME) and (what := _of_name(name)):
            return Fault(Reason.METRIC_KEY_INVALID, what)
        kind = type(value)
        if kind is float or kind is bool:  # JSON knows no number that is not finite
            continue
        if what := _of_value(value):
            return Fault(Reason.METRIC_VALUE_INVALID, f"the value of {name[:LONGEST_NAME]!r} {what}")
    return None


def _of_name(name: str) -> str | None:
    if not name:
        return "a metric has no name"
    if len(name) > LONGEST_NAME:
        return f"the name of a metric has {len(name)} characters, at most {LONGEST_NAME} are taken"
    return "the name of a metric has control characters" if _CONTROL.search(name) else None


def _of_value(value: object) -> str | None:
    if isinstance(value, int):
        return None if _is_finite(value) else "is larger than any number that can be stored"
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            return f"has {len(value)} characters, at most {LONGEST_TEXT} are taken"
        return "has a NUL in it" if "\x00" in value else None
    return "is neither a number nor true, false or a text"


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _position(body: Body) -> tuple[float, float] | Fault | None:
    latitude, longitude = body.get("latitude", body.get("lat")), body.get("longitude", body.get("lng"))
    if latitude is None and longitude is None:
        return None
    if not (_is_degrees(latitude, _MOST_LATITUDE) and _is_degrees(longitude, _MOST_LONGITUDE)):
        return Fault(Reason.MALFORMED, "its position needs latitude and longitude, both in degrees")
    return float(latitude), float(longitude)


def _is_degrees(value: object, most: int) -> TypeIs[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -most <= value <= most
