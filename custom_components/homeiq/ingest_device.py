"""A device that sends to the app by itself, as the app tells of it. Frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any, Final, Self

from homeassistant.util import dt as dt_util

type MetricValue = bool | int | float | str

_LONGEST_TEXT: Final = 255  # of a state
GONE: Final = frozenset({"DELETED", "REVOKED"})
_MISSED_HEARTBEATS: Final = 3


@dataclass(frozen=True, slots=True)
class Metric:
    """The newest value of a metric.

    Attributes:
        value: None when it is nothing that can be shown.
        at: When it was measured, as the app writes it: only to tell one message from another.
    """

    value: MetricValue | None
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestDevice:
    """One device of ``GET /tenant/v1/device-states``.

    Attributes:
        status: ``PENDING``, ``ACTIVE``, ``INACTIVE``, ``REVOKED`` or ``DELETED``.
        available: Whether it has spoken in time, when the app was asked; None when nobody expects it to.
        lapses_at: When it is late unless it speaks again, None when nobody expects it to.
        heartbeat_s: How often it should speak, None when that is not known.
    """

    device_id: str
    name: str
    status: str
    manufacturer: str | None
    model: str | None
    sw_version: str | None
    available: bool | None
    heartbeat_s: float | None
    lapses_at: datetime | None
    metrics: Mapping[str, Metric] = field(repr=False)

    @property
    def is_gone(self) -> bool:
        """Whether it is no device of the home any more."""
        return self.status in GONE

    @property
    def is_shown(self) -> bool:
        """Whether it has come into use; one that waits for its activation has not."""
        return not self.is_gone and self.status != "PENDING"

    @property
    def has_spoken_in_time(self) -> bool:
        """Whether it was available when the app was asked."""
        return self.status == "ACTIVE" and self.available is not False

    @property
    def registration(self) -> tuple[str | None, ...]:
        """What the device registry shows of it."""
        return (self.name, self.manufacturer, self.model, self.sw_version)

    @classmethod
    def from_json(cls, answer: Any) -> Self:  # noqa: ANN401 - any JSON value, checked here
        """Read a device.

        Raises:
            AttributeError, KeyError, TypeError, ValueError, OverflowError: It is not one.
        """
        available, heartbeat = answer["available"], answer["heartbeat_s"]
        heartbeat_s = None if heartbeat is None else float(heartbeat)
        device_id = str(answer["device_id"])
        return cls(
            device_id=device_id,
            name=str(answer["name"] or device_id),
            status=str(answer["status"]),
            manufacturer=_text(answer["manufacturer"]),
            model=_text(answer["model"]),
            sw_version=_text(answer["sw_version"]),
            available=None if available is None else bool(available),
            heartbeat_s=heartbeat_s,
            lapses_at=_lapses_at(answer["last_seen_at"], heartbeat_s),
            metrics={
                str(name): Metric(_value(one["value"]), str(one["at"])) for name, one in answer["metrics"].items()
            },
        )


def _lapses_at(last_seen: str | None, heartbeat_s: float | None) -> datetime | None:
    if last_seen is None or heartbeat_s is None:
        return None
    seen = dt_util.parse_datetime(last_seen, raise_on_error=True)
    return dt_util.utc_from_timestamp(seen.timestamp() + _MISSED_HEARTBEATS * heartbeat_s)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _value(value: object) -> MetricValue | None:
    """Return what a state can be made of."""
    match value:
        case str():
            return value[:_LONGEST_TEXT]
        case bool() | int():
            return value
        case float() if isfinite(value):
            return value
        case _:
            return None
