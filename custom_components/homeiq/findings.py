"""What the app says of the home's devices: its findings, and the figures that sum them up. Frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from homeassistant.util.json import JsonValueType


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is wrong, or was.

    Attributes:
        kind: Such as ``battery`` or ``silent``.
        source: The Home Assistant that it is about, by its instance uuid.
        severity: 5 critical, 4 high, 3 medium, 2 low, 1 for information.
        state: ``open``, ``acknowledged``, ``muted`` or ``resolved``.
        evidence: The figures that the explanation rests on, with units in their names.
    """

    id: str
    kind: str
    source: str
    severity: int
    title: str
    explanation: str
    state: str
    device_id: str | None
    device_name: str | None
    entity_id: str | None
    evidence: Mapping[str, JsonValueType] = field(repr=False)

    @classmethod
    def from_json(cls, answer: Any) -> Self:  # noqa: ANN401 - any JSON value, checked here
        """Read a finding.

        Raises:
            KeyError, TypeError, ValueError, OverflowError: It is not one.
        """
        return cls(
            id=str(answer["id"]),
            kind=str(answer["kind"]),
            source=str(answer["source"]),
            severity=int(answer["severity"]),
            title=str(answer["title"]),
            explanation=str(answer["explanation"]),
            state="muted" if answer["muted"] else str(answer["state"]),
            device_id=answer["device_id"],
            device_name=answer["device_name"],
            entity_id=answer["entity_id"],
            evidence=dict(answer["evidence"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingChange:
    """A finding was ``opened`` or ``resolved``.

    Attributes:
        cursor: Its place in the order of all changes.
    """

    cursor: int
    change: str
    finding: Finding

    @classmethod
    def from_json(cls, answer: Any) -> Self:  # noqa: ANN401 - any JSON value, checked here
        """Read a change; raises as ``Finding.from_json``."""
        return cls(
            cursor=int(answer["cursor"]),
            change=str(answer["change"]),
            finding=Finding.from_json(answer["finding"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Insights:
    """What ``GET /api/v1/insights`` answered, and the findings that are open.

    Attributes:
        devices_total: Without those that are disabled or no things; so are the others.
        devices_unhealthy: Whose health is fair or poor.
        batteries: That end within 45 days, soonest first.
        cursor: Of the newest change to a finding.
        findings: Open, neither muted nor acknowledged, and not only for information.
    """

    devices_total: int
    devices_unhealthy: int
    batteries: tuple[Mapping[str, JsonValueType], ...]
    cursor: int
    findings: tuple[Finding, ...] = field(default=(), repr=False)

    @classmethod
    def from_json(cls, answer: Any, findings: tuple[Finding, ...]) -> Self:  # noqa: ANN401 - any JSON value
        """Read an answer; raises as ``Finding.from_json``."""
        shown = ("name", "device_id", "level", "expected", "earliest", "latest")
        return cls(
            devices_total=int(answer["devices_total"]),
            devices_unhealthy=int(answer["devices_unhealthy"]),
            batteries=tuple({key: one[key] for key in shown} for one in answer["batteries"]),
            cursor=int(answer["cursor"]),
            findings=findings,
        )
