"""InfluxDB 2, Cloud and 3, and 1.8 with a token, through the v2 write endpoint that all of them have."""

from datetime import timedelta
from http import HTTPStatus

import msgspec

from homeiq_server.history.answers import Answer, Refusal
from homeiq_server.history.target import Form, Identity, Kept

from .product import with_remedy
from .session import Session
from .settings import InfluxSettings


class InfluxDB2:
    """A ``Product``; also for whoever speaks InfluxDB's API without telling who it is."""

    form: Form = "influx"
    settling_s = 0.0  # they sync their log before they answer

    def __init__(
        self, session: Session, settings: InfluxSettings, identity: Identity, *, has_buckets: bool = False
    ) -> None:
        """Speak to ``identity``, and ask it how long its bucket keeps if it ``has_buckets``."""
        self.identity = identity
        self.kept = Kept()
        self._session = session
        self._target = {"org": settings.org, "bucket": settings.bucket}
        self._has_buckets = has_buckets

    async def write(self, lines: bytes, *, precision: str) -> Refusal | None:
        """Send lines; a bucket that is missing is refused with the remedy."""
        refusal = await self._session.write("/api/v2/write", lines, self._target | {"precision": precision})
        return with_remedy(refusal, "create that bucket, or correct influx_bucket and influx_org")

    async def epoch(self) -> str:
        """Return a constant: nothing is lost when it starts anew."""
        return ""

    async def read_kept(self) -> None:
        """Ask for the bucket; a token that may only write may not ask."""
        self.kept = Kept()
        if not (self._has_buckets and self._target["bucket"]):
            return
        query = {"name": self._target["bucket"]} | ({"org": self._target["org"]} if self._target["org"] else {})
        answer = await self._session.get("/api/v2/buckets", query)
        if isinstance(answer, Answer) and answer.status == HTTPStatus.OK:
            self.kept = Kept(past=_duration(answer.text, self._target["bucket"]))


class _Rule(msgspec.Struct):
    every: int = msgspec.field(name="everySeconds", default=0)


class _Bucket(msgspec.Struct):
    name: str
    rules: list[_Rule] = msgspec.field(name="retentionRules", default_factory=list)


class _Buckets(msgspec.Struct):
    buckets: list[_Bucket] = []


def _duration(text: str, name: str) -> timedelta | None:
    """Return how long the bucket keeps; None for ever, or when it is not told."""
    try:
        buckets = msgspec.json.decode(text, type=_Buckets).buckets
    except msgspec.DecodeError, UnicodeEncodeError:
        return None
    seconds = [rule.every for bucket in buckets if bucket.name == name for rule in bucket.rules if rule.every > 0]
    try:
        return timedelta(seconds=min(seconds)) if seconds else None
    except OverflowError:
        return None
