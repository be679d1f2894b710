"""InfluxDB 1.x through its own endpoint, with user and password.

Source: ``services/httpd/handler.go`` of InfluxDB 1.8; its answers were recorded from Debian's 1.6.7.
"""

from datetime import timedelta
from http import HTTPStatus
from typing import Final

import msgspec

from homeiq_server.history.answers import Answer, Refusal
from homeiq_server.history.target import Form, Identity, Kept

from .product import length_of_time, with_remedy
from .session import Session
from .settings import InfluxSettings

# A precision that it does not know, such as "us", it takes for nanoseconds without a word.
_PRECISIONS: Final = {"ns": "n", "us": "u", "ms": "ms", "s": "s"}


class InfluxDB1:
    """A ``Product``; ``bucket`` is its database, or ``database/retention policy``."""

    form: Form = "influx"
    settling_s = 0.0  # it syncs its log before it answers

    def __init__(self, session: Session, settings: InfluxSettings, identity: Identity) -> None:
        self.identity = identity
        self.kept = Kept()
        self._session = session
        self._database, _, self._policy = settings.bucket.partition("/")

    async def write(self, lines: bytes, *, precision: str) -> Refusal | None:
        """Send lines; a database that is missing is refused with the remedy."""
        query = {"db": self._database, "precision": _PRECISIONS[precision]}
        if self._policy:
            query["rp"] = self._policy
        refusal = await self._session.write("/write", lines, query)
        return with_remedy(refusal, f"create the database {self._database}, or correct influx_bucket")

    async def epoch(self) -> str:
        """Return a constant: nothing is lost when it starts anew."""
        return ""

    async def read_kept(self) -> None:
        """Ask for the retention policy that is written to; who may only write may not ask."""
        self.kept = Kept()
        if not self._database:
            return
        answer = await self._session.get("/query", {"db": self._database, "q": "SHOW RETENTION POLICIES"})
        if isinstance(answer, Answer) and answer.status == HTTPStatus.OK:
            self.kept = Kept(past=_duration(answer.text, self._policy))


class _Series(msgspec.Struct):
    columns: list[str] = []
    values: list[list[str | int | bool | None]] = []


class _Result(msgspec.Struct):
    series: list[_Series] = []


class _Results(msgspec.Struct):
    results: list[_Result] = []


def _duration(text: str, policy: str) -> timedelta | None:
    """Return how long the policy keeps, the default one when none is named; None for ever, or when it is not told."""
    try:
        results = msgspec.json.decode(text, type=_Results).results
    except msgspec.DecodeError, UnicodeEncodeError:
        return None
    for series in (series for result in results for series in result.series):
        for values in series.values:
            row = dict(zip(series.columns, values, strict=False))
            if row.get("name") == policy or (not policy and row.get("default") is True):
                return length_of_time(str(row.get("duration"))) or None
    return None
