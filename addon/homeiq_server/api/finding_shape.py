"""A finding as it is answered."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from asyncpg import Record
from msgspec import Struct, convert

from homeiq_server.insights.finding import Kind, SubjectType

type State = Literal["open", "acknowledged", "muted", "resolved"]
type Change = Literal["opened", "resolved", "acknowledged", "unacknowledged", "muted", "unmuted"]


class Finding(Struct, frozen=True, kw_only=True):
    """A condition that was seen to begin; ``resolved_at`` tells that it was seen to end.

    Attributes:
        affected: Ids of devices that suffer from it without a fault of their own.
        state: The first that is true of resolved, muted, acknowledged (seen, and still so), open.
        muted: Whether its kind is silent for its subject now; for ever when ``muted_until`` is null then.
    """

    id: str
    kind: Kind
    subject_type: SubjectType
    subject: str
    source: str
    device_id: str | None
    device_name: str | None
    entity_id: str | None
    severity: int
    title: str
    explanation: str
    evidence: Mapping[str, object]
    affected: Sequence[str]
    since: datetime
    opened_at: datetime
    changed_at: datetime
    acknowledged_at: datetime | None
    resolved_at: datetime | None
    state: State
    muted_until: datetime | None
    muted: bool


class FindingPage(Struct, frozen=True, kw_only=True):
    """Some findings, newest first."""

    findings: Sequence[Finding]
    next_cursor: str | None


class FindingChange(Struct, frozen=True, kw_only=True):
    """What became of a finding, and the finding as it is now."""

    cursor: int
    change: Change
    at: datetime
    finding: Finding


class FindingChanges(Struct, frozen=True, kw_only=True):
    """Changes, oldest first; ``cursor`` is the ``after`` of the next question."""

    changes: Sequence[FindingChange]
    cursor: int


def finding_of(row: Record) -> Finding:
    """Return the answer for a row of ``store.findings``."""
    return convert(dict(row) | {"state": _state(row)}, Finding)


def change_of(row: Record) -> FindingChange:
    """Return the answer for a row of ``store.finding_changes``."""
    return FindingChange(cursor=row["cursor"], change=row["change"], at=row["at"], finding=finding_of(row))


def _state(row: Record) -> State:
    if row["resolved_at"]:
        return "resolved"
    if row["muted"]:
        return "muted"
    return "acknowledged" if row["acknowledged_at"] else "open"
