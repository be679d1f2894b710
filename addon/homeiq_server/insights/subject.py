"""What a condition is about, with the words that people know it by."""

from typing import Self

import msgspec

from homeiq_server.insights.finding import Condition, Evidence, Kind, SubjectType
from homeiq_server.registry import Device, Entity


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A device, an entity, or a set-up of an integration.

    Attributes:
        id: A registry's id, so that a renamed thing keeps its findings.
        name: As the user knows it.
        unit: What an entity's numbers are in.
    """

    type: SubjectType
    id: str
    name: str
    device_id: str | None = None
    entity_id: str | None = None
    unit: str | None = None

    @classmethod
    def of_device(cls, device: Device, entity: Entity | None = None) -> Self:
        """Return a device, and the entity that told."""
        return cls(
            type="device",
            id=device.id,
            name=device.shown_name,
            device_id=device.id,
            entity_id=entity.entity_id if entity else None,
            unit=entity.unit if entity else None,
        )

    @classmethod
    def of_entity(cls, entity: Entity, device: Device | None) -> Self:
        """Return an entity, and the device that the finding shall be listed under."""
        name = entity.name or entity.entity_id
        if device and device.shown_name.casefold() not in name.casefold():
            name = f"{device.shown_name} {name}"
        return cls(
            type="entity",
            id=entity.id,
            name=name,
            device_id=device.id if device else None,
            entity_id=entity.entity_id,
            unit=entity.unit,
        )

    def condition(  # noqa: PLR0913, PLR0917  # the parts of a condition
        self, kind: Kind, severity: int, title: str, explanation: str, evidence: Evidence, now_us: int
    ) -> Condition:
        """Return the condition; it holds since the evidence's ``since_us``, else since now."""
        since_us = evidence.get("since_us")
        return Condition(
            kind=kind,
            subject_type=self.type,
            subject=self.id,
            severity=severity,
            title=title,
            explanation=explanation,
            evidence=evidence,
            since_us=since_us if isinstance(since_us, int) else now_us,
            device_id=self.device_id,
            entity_id=self.entity_id,
        )
