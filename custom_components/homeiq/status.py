"""The app's status as far as the integration shows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What ``GET /api/v1/status`` answered.

    Attributes:
        version: The app's release.
        reasons: Why not all is well, by code: the app's own words.
        written: Lines that the database has, since the app's data began; so are ``dead`` and ``dropped``.
        queued: Lines that wait in the app for the database.
        queue_fill: The part of the queue's limit that is taken.
        dead: Lines that the database will never take.
        dropped: Lines that the app gave up.
        open_gaps: Stretches of time that may still be filled out of the recorder.
        missed: Events that nobody could supply.
        events_per_minute: Events taken in, in the last minute.
        write_p99_s: From a write request to the database's answer, seconds; None while nothing was written.
        database_state: ``ok``, ``starting``, ``unreachable``, ``refusing``, ``misconfigured`` or ``off``.
        database_error: What the database said last, if anything is wrong.
        store_state: Of the store of devices: ``off``, ``starting``, ``ok``, ``unreachable`` or ``misconfigured``;
            ``off`` too when the app is one that has none yet.
        has_ingest: Whether devices may send to the app; an app that is older than that has none.
        raw: The whole answer, for diagnostics.
    """

    version: str
    reasons: Mapping[str, str]
    written: int
    queued: int
    queue_fill: float
    dead: int
    dropped: int
    open_gaps: int
    missed: int
    events_per_minute: float
    write_p99_s: float | None
    database_state: str
    database_error: str | None
    store_state: str
    has_ingest: bool
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def from_json(cls, answer: Any) -> Self:  # noqa: ANN401 - any JSON value, checked here
        """Read an answer.

        Raises:
            KeyError, TypeError, ValueError, OverflowError: It is not a status.
        """
        lines, database, p99 = answer["lines"], answer["database"], answer["latency"]["write_p99_s"]
        error = database["error"]
        return cls(
            version=str(answer["version"]),
            reasons={str(reason["code"]): str(reason["message"]) for reason in answer["reasons"]},
            written=int(lines["written"]),
            queued=int(lines["queued"]),
            queue_fill=float(answer["spool"]["fill"]),
            dead=int(lines["dead"]),
            dropped=int(lines["dropped"]),
            open_gaps=int(answer["gaps"]["open"]),
            missed=int(answer["missed"]),
            events_per_minute=float(answer["rates"]["events_per_minute"]),
            write_p99_s=None if p99 is None else round(float(p99), 6),
            database_state=str(database["state"]),
            database_error=None if error is None else str(error),
            store_state=str((answer.get("store") or {"state": "off"})["state"]),
            has_ingest=answer.get("ingest") is not None,
            raw=answer,
        )
