"""VictoriaMetrics through the v2 write endpoint; what it is and keeps stands in its metrics."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Final

from homeiq_server.history.answers import Action, Category, Refusal, one_line, refusal_of_question
from homeiq_server.history.target import Form, Identity, Kept

from .product import length_of_time
from .session import Session
from .settings import InfluxSettings

PRODUCT: Final = "VictoriaMetrics"

_VERSION: Final = re.compile(r'^vm_app_version\{.*?short_version="v?(?P<version>[^"]*)"', re.MULTILINE)
_PROCESS_START: Final = re.compile(r"^process_start_time_seconds (?P<start>\S+)", re.MULTILINE)
_FLAG: Final = re.compile(
    r'^flag\{name="(?P<name>\w+Retention|retentionPeriod)", value="(?P<value>[^"]*)"', re.MULTILINE
)
_MONTH: Final = timedelta(days=31)
_FUTURE: Final = timedelta(days=2)  # before futureRetention, a flag of 2026, could change it
_BAD_LINE: Final = b"homeiq_asks_whether_bad_lines_are_refused"


class VictoriaMetrics:
    """A ``Product`` of numbers: it takes a text for 0.

    Killed, it lost the last 5 to 10 s of what it had acknowledged, hence ``settling_s``.
    """

    form: Form = "victoria"

    def __init__(
        self, session: Session, settings: InfluxSettings, *, version: str | None = None, settling_s: float
    ) -> None:
        self.identity = Identity(PRODUCT, version)
        self.settling_s = settling_s
        self.kept = settings.kept
        self._session = session
        self._query = {"org": settings.org, "bucket": settings.bucket}

    async def write(self, lines: bytes, *, precision: str) -> Refusal | None:
        """Send lines."""
        return await self._session.write("/api/v2/write", lines, self._query | {"precision": precision})

    async def epoch(self) -> str | Refusal:
        """Return when its process started."""
        metrics = await read_metrics(self._session)
        if isinstance(metrics, Refusal):
            return metrics
        self.learn(metrics)
        return match["start"] if (match := _PROCESS_START.search(metrics)) else ""

    async def read_kept(self) -> None:
        """Do nothing: ``epoch``, which is asked all the time, brings it."""

    def learn(self, metrics: str) -> None:
        """Take from its metrics which times it keeps; one behind a proxy that leaves its flags out tells nothing."""
        flags = {match["name"]: match["value"] for match in _FLAG.finditer(metrics)}
        if past := _period(flags.get("retentionPeriod", "")):
            self.kept = Kept(past=past, future=_period(flags.get("futureRetention", "")) or _FUTURE)

    async def refusal_of_hidden_faults(self) -> Refusal | None:
        """Refuse one that answers 204 to lines which it could not read: they would count as written.

        Not by its version, which Debian's build does not tell, and which does not tell of ``-influx.forceStreamMode``.
        """
        refusal = await self.write(_BAD_LINE, precision="us")
        if refusal is not None:
            return None if refusal.lines_at_fault else refusal
        return Refusal(
            action=Action.HOLD,
            category=Category.CONFIGURATION,
            reason=f"VictoriaMetrics {self.identity.version or ''} accepts lines that it cannot read and forgets them: "
            "update it to 1.105 or newer, and start it without -influx.forceStreamMode",
        )


async def read_metrics(session: Session) -> str | Refusal:
    """Return what it tells about itself; refused when that may not be read."""
    answer = await session.get("/metrics")
    if isinstance(answer, Refusal):
        return answer
    refusal = refusal_of_question(answer)
    if refusal is None or refusal.action is Action.RETRY:
        return refusal or answer.text
    reason = f"{session.url}/metrics must be readable, it tells when the database was restarted: {refusal.reason}"
    return replace(refusal, reason=one_line(reason))


def version_in(metrics: str) -> str | None:
    """Return its version, empty when it does not tell; None when these are not the metrics of a VictoriaMetrics."""
    return match["version"] if (match := _VERSION.search(metrics)) else None


def _period(text: str) -> timedelta | None:
    """Return the value of one of its flags; a bare number counts months."""
    try:
        return float(text) * _MONTH
    except ValueError:
        return length_of_time(text)
    except OverflowError:
        return None
