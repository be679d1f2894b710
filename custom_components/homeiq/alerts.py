"""What the app says of its alerts. Frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from homeassistant.util.json import JsonValueType

_SEVERITY_NAMES: Final = {5: "critical", 4: "high", 3: "medium", 2: "low", 1: "info"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alert, open or over.

    Attributes:
        kind: What raised it: ``THRESHOLD``, ``NO_HEARTBEAT``, ``NO_TELEMETRY`` or ``INSIGHT``.
        severity: 5 critical, 4 high, 3 medium, 2 low, 1 for information.
        device_id: The app's own id of the device that it is about, None when it is about none.
        details: The figures that it rests on.
    """

    alert_id: int | str
    kind: str
    severity: int
    summary: str
    device_id: str | None
    site_id: str | None
    details: Mapping[str, JsonValueType] = field(repr=False)

    @property
    def severity_name(self) -> str:
        """The severity in a word."""
        return _SEVERITY_NAMES.get(self.severity, str(self.severity))

    @classmethod
    def from_json(cls, answer: Any) -> Self:  # noqa: ANN401 - any JSON value, checked here
        """Read an alert.

        Raises:
            AttributeError, KeyError, TypeError, ValueError, OverflowError: It is not one.
        """
        alert_id = answer["id"]
        return cls(
            alert_id=alert_id if isinstance(alert_id, int) else str(alert_id),
            kind=str(answer["kind"]),
            severity=int(answer["severity"]),
            summary=str(answer["summary"]),
            device_id=_text(answer.get("device_id")),
            site_id=_text(answer.get("site_id")),
            details=dict(answer.get("details") or {}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChange:
    """An alert was ``opened``, ``raised``, ``acknowledged``, ``unacknowledged`` or ``cleared``.

    Attributes:
        at: When, as the app writes it.
        actor: Who did it: a person, a token or the app itself.
    """

    change: str
    at: str
    actor: str
    alert: Alert

    @classmethod
    def from_json(cls, answer: Any) -> Self:  # noqa: ANN401 - any JSON value, checked here
        """Read a change; raises as ``Alert.from_json``."""
        return cls(
            change=str(answer["change"]),
            at=str(answer["at"]),
            actor=str(answer["actor"]),
            alert=Alert.from_json(answer["alert"]),
        )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
