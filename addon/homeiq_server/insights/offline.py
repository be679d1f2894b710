"""Offline: all that a device is for has been unavailable for more than a quarter of an hour.

After a start of Home Assistant, things that sleep are unavailable until they next wake: what became unavailable then
has as long as it may be silent.
"""

from typing import Final

from homeiq_server.insights.finding import Condition, Evidence, Kind
from homeiq_server.insights.words import HOUR_S, number, rounded, span
from homeiq_server.registry import Device

LIMIT_S: Final = 900.0
UNKNOWN_S: Final = 7_200.0
"""What has to do after a start for a device whose rhythm is not known."""


def evidence(away_s: float | None, now_s: float, limit_s: float = LIMIT_S) -> Evidence | None:
    """Return the figures when a device that is away since an observed time is offline."""
    if away_s is None or now_s - away_s <= max(LIMIT_S, limit_s):
        return None
    return {"unavailable_hours": rounded((now_s - away_s) / HOUR_S)}


def condition(device: Device, figures: Evidence, since_us: int) -> Condition:
    """Word what was found."""
    return Condition(
        kind=Kind.OFFLINE,
        subject_type="device",
        subject=device.id,
        device_id=device.id,
        severity=4,
        title=f"{device.shown_name} is offline",
        explanation=(
            f"All of its entities have been unavailable for {span(number(figures, 'unavailable_hours') * HOUR_S)}. "
            "Check its power and its connection, then reload its integration."
        ),
        evidence=figures,
        since_us=since_us,
    )
