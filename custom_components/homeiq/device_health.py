"""How well a device is, as the app says. Frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonValueType


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceHealth:
    """One device of ``GET /api/v1/devices``.

    Attributes:
        source: The Home Assistant that it belongs to, by its instance uuid.
        is_judged: False for what is disabled, no thing, or a part: what is known of a part is known of the whole.
        state: ``learning``, ``good``, ``fair``, ``poor`` or ``affected``; None before the first evaluation.
        score: From 0 to 100; None while learning.
        deductions: What the points were lost for: ``name``, ``points``, ``since``.
        has_battery: Whether its battery's level was ever measured.
        battery_empty: The likeliest day; None when nothing can be said.
        last_reported: When any of its entities last reported.
    """

    device_id: str
    source: str
    is_judged: bool
    state: str | None
    score: int | None
    deductions: tuple[Mapping[str, JsonValueType], ...] = field(repr=False)
    has_battery: bool
    battery_empty: datetime | None
    battery_earliest: datetime | None
    battery_latest: datetime | None
    last_reported: datetime | None

    @classmethod
    def from_json(cls, answer: Any) -> Self:  # noqa: ANN401 - any JSON value, checked here
        """Read a device.

        Raises:
            KeyError, TypeError, ValueError: It is not one.
        """
        facts, health = answer["facts"] or {}, answer["health"] or {}
        end = health.get("battery_end") or {}
        return cls(
            device_id=str(answer["id"]),
            source=str(answer["source"]),
            is_judged=answer["entry_type"] != "service"
            and answer["disabled_by"] is None
            and answer["parent_id"] is None,
            state=health.get("state"),
            score=health.get("score"),
            deductions=tuple(
                {key: one[key] for key in ("name", "points", "since")} for one in health.get("deductions") or ()
            ),
            has_battery=facts.get("battery_level") is not None or bool(end),
            battery_empty=_time(end.get("expected")),
            battery_earliest=_time(end.get("earliest")),
            battery_latest=_time(end.get("latest")),
            last_reported=_time(facts.get("last_reported_at")),
        )


def _time(text: str | None) -> datetime | None:
    return None if text is None else dt_util.parse_datetime(text, raise_on_error=True)
