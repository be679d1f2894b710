"""What a database's answer to a write means: one table for every product and version that is spoken to.

The status decides. A text decides only where the status is known to mislead, and then only together with it:
InfluxDB 2.0 answered a type conflict with 500, and VictoriaMetrics answers a wrong path with 400. Sources: the handlers
of InfluxDB 1.6 to 1.8, 2.7 and 3 Core, of VictoriaMetrics 1.105 to 1.145, and Telegraf's ``outputs/influxdb_v2``. Pure.
"""

import math
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

import msgspec

MAX_RETRY_AFTER_S: Final = 300.0
_MAX_REASON: Final = 300


class Action(StrEnum):
    """What the writer should do."""

    RETRY = "retry"  # the database is away or busy: keep, back off, send again
    HOLD = "hold"  # a setting is wrong: keep, ask again now and then, tell a person
    HALVE = "halve"  # the request is too large, its parts may not be
    ISOLATE = "isolate"  # lines are wrong: find them, send the rest


class Category(StrEnum):
    """What kind of fault it is, for the status."""

    AUTH = "auth"
    CONFIGURATION = "configuration"
    DATA = "data"
    NETWORK = "network"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: The HTTP status.
        headers: With case-insensitive keys.
        text: The body, without secrets; may be cut at a few megabytes.
    """

    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request was not taken.

    Attributes:
        action: What to do about it.
        category: What kind of fault it is.
        reason: One line for people, at most 300 characters.
        status: The answer's, or None when none came.
        text: The answer's whole text, in which bad lines may be named.
        after: Seconds to wait that the database asked for, at most 300.
        too_old: How many lines of the request it dropped only because they are older than it keeps, 0 when it does not
            say so. They are the ones with the smallest timestamps. InfluxDB 1 then does not tell of lines that it could
            not read, so the others are written only when it answers to them alone.
    """

    action: Action
    category: Category
    reason: str
    status: int | None = None
    text: str = field(default="", repr=False)
    after: float | None = None
    too_old: int = 0

    @property
    def lines_at_fault(self) -> bool:
        """Whether the request itself was refused; otherwise the same one will do later."""
        return self.action in (Action.HALVE, Action.ISOLATE)


_BY_STATUS: Final[Mapping[int, tuple[Action, Category]]] = {
    400: (Action.ISOLATE, Category.DATA),
    401: (Action.HOLD, Category.AUTH),
    403: (Action.HOLD, Category.AUTH),
    408: (Action.RETRY, Category.TIMEOUT),
    413: (Action.HALVE, Category.DATA),
    422: (Action.ISOLATE, Category.DATA),
    429: (Action.RETRY, Category.OVERLOADED),
    502: (Action.RETRY, Category.NETWORK),
    504: (Action.RETRY, Category.TIMEOUT),
}
_BY_CLASS: Final[Mapping[int, tuple[Action, Category]]] = {
    3: (Action.HOLD, Category.CONFIGURATION),  # followed, a POST would become a GET, and its answer look like success
    4: (Action.HOLD, Category.CONFIGURATION),  # 404, 405, ...: the wrong address, organisation or bucket
    5: (Action.RETRY, Category.OVERLOADED),
}
_UNEXPECTED: Final = (Action.HOLD, Category.CONFIGURATION)

_DATA_FAULTS: Final = ("partial write", "field type conflict", "unable to parse")
# Behind 400 and 422, how a message begins that refuses the request and not its lines: condemning those would empty the
# whole queue into the dead letters. Only its beginning counts, because what follows may repeat a line.
_REQUEST_FAULTS: Final = (
    "unsupported path requested",  # VictoriaMetrics
    "missing route for",  # vmauth
    "client sent an http request to an https server",  # Go's server, whose TLS port was called without TLS
    "the plain http request was sent to https port",  # nginx, the same
    "please provide either orgid or org",  # InfluxDB 2 without an organisation
    "database is required",  # InfluxDB 1 without a database
    "missing query param",  # InfluxDB 3, the same
    "missing field `",  # the same at its v2 endpoint
    "gzip:",  # a proxy unpacked the body and left the header
)
# InfluxDB 1 answers these with 500, though only a person can mend them.
_SETTING_FAULTS: Final = ("retention policy not found", "database not found")
_DELETING: Final = re.compile(r"(?:failure writing points to database: )?partial write: shard \d+ is pending deletion")
_TOO_OLD: Final = re.compile(
    r"(?:failure writing points to database: )?partial write: "
    r"(?:points beyond retention policy|dropped \d+ points outside retention policy (?!.*upper bound).*lower bound.*)"
    r" dropped=(?P<count>\d+)(?: for database.*)?",
    re.DOTALL,
)


def refusal_of(answer: Answer) -> Refusal | None:
    """Read the answer to a write; None says that the database took all of it."""
    verdict = _judge(answer)
    if verdict is None:
        return None
    action, category = verdict
    message = _message(answer)
    old = _TOO_OLD.fullmatch(message.lower()) if action is Action.ISOLATE else None
    return Refusal(
        action=action,
        category=category,
        reason=f"{answer.status}: {one_line(message)}",
        status=answer.status,
        text=answer.text,
        after=retry_after_s(answer.headers) if action is Action.RETRY else None,
        too_old=int(old["count"]) if old else 0,
    )


def refusal_of_question(answer: Answer) -> Refusal | None:
    """Read the answer to a request that carried no lines, which then cannot be at fault."""
    refusal = refusal_of(answer)
    if refusal is None or not refusal.lines_at_fault:
        return refusal
    return replace(refusal, action=Action.HOLD, category=Category.CONFIGURATION)


def refusal_of_failure(error: Exception) -> Refusal:
    """Read what was raised instead of an answer; by its type alone."""
    action, category = Action.RETRY, Category.NETWORK
    if isinstance(error, TimeoutError):
        category = Category.TIMEOUT
    elif isinstance(error, ssl.CertificateError | ValueError):  # a certificate not trusted; an address that is none
        action, category = Action.HOLD, Category.CONFIGURATION
    return Refusal(action=action, category=category, reason=one_line(str(error)) or type(error).__name__)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the database asked to be left alone for, 0 to 300; None when it did not ask.

    ``Retry-After`` is seconds, by some with a fraction, or a date, which counts from the server's own ``Date``.
    """
    value = headers.get("Retry-After", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        seconds = _seconds_between(headers.get("Date", ""), value)
    return None if math.isnan(seconds) else min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _judge(answer: Answer) -> tuple[Action, Category] | None:
    """Return the row of the table; None for success."""
    text = answer.text.lower()
    kind = answer.status // 100
    is_page = "text/html" in answer.headers.get("Content-Type", "").lower()
    if kind in (2, 5) and any(fault in text for fault in _DATA_FAULTS):
        return Action.ISOLATE, Category.DATA
    if kind == 2:  # noqa: PLR2004  # 2xx; but a web page there means that something else than a database answered
        return (Action.HOLD, Category.CONFIGURATION) if is_page else None
    row = _BY_STATUS.get(answer.status) or _BY_CLASS.get(kind, _UNEXPECTED)
    message = _message(answer).lower()
    if row[0] is Action.ISOLATE and (is_page or message.startswith(_REQUEST_FAULTS)):
        return Action.HOLD, Category.CONFIGURATION
    if row[0] is Action.ISOLATE and _DELETING.match(message):  # what it was deleting is gone the next time
        return Action.RETRY, Category.OVERLOADED
    if kind == 5 and message.startswith(_SETTING_FAULTS):  # noqa: PLR2004  # 5xx
        return Action.HOLD, Category.CONFIGURATION
    return row


class _Fault(msgspec.Struct):
    """The bodies of InfluxDB 2 (``message``), and of 1 and 3 (``error``)."""

    message: str | None = None
    error: str | None = None


def _message(answer: Answer) -> str:
    """Return the part of the body that tells people what is wrong, or a few words for the status."""
    try:
        fault = msgspec.json.decode(answer.text, type=_Fault)
        text = fault.message or fault.error or answer.text
    except msgspec.DecodeError, UnicodeEncodeError:
        text = answer.text
    if "<html" in text.lower():
        text = "a web page, not a database, answered"
    location = answer.headers.get("Location", "").partition("?")[0]
    return text.strip() or (f"redirected to {location}" if location else "no reason given")


def one_line(text: str) -> str:
    """Return a text for people and logs, printable; the middle of a long one is cut: what is wrong stands at an end."""
    line = " ".join(text.split()) if len(text) <= _MAX_REASON else " ".join(f"{text[:150]} ... {text[-140:]}".split())
    return "".join(character if character.isprintable() else "?" for character in line)


def _seconds_between(start: str, end: str) -> float:
    """Return the seconds between two HTTP dates, NaN when either is none."""
    try:
        return (parsedate_to_datetime(end) - parsedate_to_datetime(start)).total_seconds()
    except ValueError, TypeError:
        return math.nan
