"""Which dead letters are asked for, and what one looks like in a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MAX_LISTED: Final = 500
SHOWN_BYTES: Final = 4_096  # of a letter in a list; one may hold megabytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadQuery:
    """Which dead letters; None matches all.

    Attributes:
        reason: A part of the reason, as it is spelled.
        target: The name of the database; ``intake`` for lines that were too long to be sent.
        source: Who sent the line.
        channel: The intake's channel.
        measurement: Of the letter's first line.
        since_us: Died then or later.
        until_us: Died before then.
        before_id: Older than this letter; the last of a page finds the next page.
        limit: The most that a list holds, 500 at the most; a replay and a discard take all that match.
    """

    reason: str | None = None
    target: str | None = None
    source: str | None = None
    channel: str | None = None
    measurement: str | None = None
    since_us: int | None = None
    until_us: int | None = None
    before_id: int | None = None
    limit: int = 100


type Which = Sequence[int] | DeadQuery
"""Ids, or what the letters have in common."""


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A dead letter as it is listed.

    Attributes:
        id: Grows with every letter and is never used twice.
        died_us: When the database refused it, by our clock.
        accepted_us: When it was accepted.
        channel: The intake's channel.
        source: Who sent it, or None.
        precision: Of its timestamp.
        form: What it was encoded for, ``influx`` or ``victoria``.
        count: How many lines it holds.
        code: The status of the database's answer; None when it was not the database that refused.
        reason: The answer's text.
        target: The name of the database.
        size: Of the line, in bytes.
        line: Its first 4,096 bytes.
    """

    id: int
    died_us: int
    accepted_us: int
    channel: str
    source: str | None
    precision: str
    form: str
    count: int
    code: int | None
    reason: str
    target: str
    size: int
    line: bytes
