"""What is asked and answered about refused messages."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from asyncpg import Record
from msgspec import UNSET, Meta, Struct, UnsetType

from homeiq_server.api.parameters import CursorText, PageSize, Words
from homeiq_server.ingest.message import Reason, Transport

from .masking import Encoding, shown, shown_name

type State = Literal["new", "replayed", "discarded"]
type _RowId = Annotated[int, Meta(ge=1, le=2**63 - 1)]
type _RowIds = Annotated[Sequence[_RowId], Meta(min_length=1, max_length=500)]
type _Most = Annotated[int, Meta(ge=1, le=500)]


class QuarantineQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which messages are asked for."""

    state: Literal["new", "replayed", "discarded", "all"] = "new"
    reason: Reason | None = None
    device_id: Words | None = None
    limit: PageSize = 50
    cursor: CursorText | None = None


class RefusedMessage(Struct, frozen=True, kw_only=True):
    """A message that was refused.

    Attributes:
        received_at: When it came.
        topic: As it came by MQTT; of HTTP made of its address; tokens in it as in the payload.
        device_id: As the topic says; null when it could not be read.
        reason: Why it was refused, the last time that it was tried.
        payload: Tokens in it are shown as ``***``; a list shows the first 2048 bytes.
        payload_encoding: ``base64`` when the payload is not UTF-8.
        payload_complete: Whether all of the payload is shown.
        size: Of the whole payload, in bytes; of one over the limit by HTTP, as far as it was read.
        replayable: Whether all of it is kept, so that it can be replayed.
        authenticated: Whether who sent it had proved who he was; if not, a replay needs the token in the payload.
        attempts: How many times it was replayed.
    """

    id: int
    received_at: datetime
    transport: Transport
    topic: str
    device_id: str | None
    reason: str
    detail: str
    payload: str
    payload_encoding: Encoding
    payload_complete: bool
    size: int
    replayable: bool
    authenticated: bool
    state: State
    attempts: int


class QuarantinePage(Struct, frozen=True, kw_only=True):
    """Some messages, the newest first."""

    quarantine: list[RefusedMessage]
    next_cursor: str | None


class RefusedFor(Struct, frozen=True, kw_only=True):
    """Messages with one reason that nobody has dealt with; ``devices`` are those whose id could be read."""

    reason: str
    messages: int
    devices: int
    oldest_at: datetime
    newest_at: datetime


class QuarantineSummary(Struct, frozen=True, kw_only=True):
    """What waits in the quarantine: the commonest reason first."""

    messages: int
    newest_at: datetime | None
    reasons: list[RefusedFor]


class Chosen(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which messages it is about: those with ``ids``, or the oldest ``limit`` of a reason that wait."""

    ids: _RowIds | None = None
    reason: Reason | None = None
    limit: _Most = 100


class ReplayResult(Struct, frozen=True, kw_only=True):
    """What became of a message that was to be replayed.

    Attributes:
        status: ``accepted``; ``rejected``, so that it waits on, with the new reason; ``skipped``: nothing was done.
        reason: Why it was rejected.
        detail: Why it was rejected or skipped, for people.
    """

    id: int
    status: Literal["accepted", "rejected", "skipped"]
    reason: Reason | UnsetType = UNSET
    detail: str | UnsetType = UNSET


class Replayed(Struct, frozen=True, kw_only=True):
    """What became of a replay, message by message."""

    accepted: int
    rejected: int
    skipped: int
    results: list[ReplayResult]


class Discarded(Struct, frozen=True, kw_only=True):
    """How many messages were given up; not counted are those that had been dealt with before."""

    discarded: int


def message_of(row: Record) -> RefusedMessage:
    """Return a message as it is shown, of a row with all of its payload or with the beginning."""
    payload: bytes = row["payload"]
    is_whole = len(payload) == row["stored"]
    text, encoding = shown(payload, is_whole=is_whole)
    return RefusedMessage(
        id=row["id"],
        received_at=row["received_at"],
        transport=row["transport"],
        topic=shown_name(row["topic"]),
        device_id=row["device_id"] and shown_name(row["device_id"]),
        reason=row["reason"],
        detail=row["detail"],
        payload=text,
        payload_encoding=encoding,
        payload_complete=is_whole and row["stored"] == row["size"],
        size=row["size"],
        replayable=row["stored"] == row["size"],
        authenticated=row["authenticated"],
        state=row["state"],
        attempts=row["attempts"],
    )
