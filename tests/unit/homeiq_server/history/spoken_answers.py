"""What each product answers to a write, word for word, and what has to be done about it.

Sources: InfluxDB 1 and VictoriaMetrics as recorded from Debian's 1.6.7 and 1.145; the handlers of InfluxDB 1.8, 1.12,
2.7 and 3 Core; the documentation of Cloud.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from homeiq_server.history.answers import Action, Category

JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain; charset=utf-8"}
PAGE = {"Content-Type": "text/html"}
NOTHING: dict[str, str] = {}

type Verdict = tuple[Action, Category] | None

TAKEN: Verdict = None
LINES: Verdict = (Action.ISOLATE, Category.DATA)
LARGE: Verdict = (Action.HALVE, Category.DATA)
STRANGER: Verdict = (Action.HOLD, Category.AUTH)
SETTING: Verdict = (Action.HOLD, Category.CONFIGURATION)
BUSY: Verdict = (Action.RETRY, Category.OVERLOADED)
SLOW: Verdict = (Action.RETRY, Category.TIMEOUT)
AWAY: Verdict = (Action.RETRY, Category.NETWORK)


@dataclass(frozen=True)
class Spoken:
    """An answer, and the row of the table that it belongs to.

    Attributes:
        dialect: Whose it is, by the fake database's names.
        case: What happened.
        too_old: How many lines it says that it dropped for their age.
    """

    dialect: str
    case: str
    status: int
    body: str
    verdict: Verdict
    headers: Mapping[str, str] = field(kw_only=True, default_factory=lambda: JSON)
    after: float | None = field(kw_only=True, default=None)
    too_old: int = field(kw_only=True, default=0)


def error_1(text: str) -> str:
    """The body of InfluxDB 1."""
    return json.dumps({"error": text}, separators=(",", ":")) + "\n"


def error_2(code: str, message: str) -> str:
    """The body of InfluxDB 2 and Cloud."""
    return json.dumps({"code": code, "message": message}, separators=(",", ":"))


def error_3(text: str, data: object) -> str:
    """The body of InfluxDB 3."""
    return json.dumps({"error": text, "data": data}, separators=(",", ":"))


def error_victoria(rest: bytes, why: str) -> str:
    """The body of VictoriaMetrics: the first bad line with all that follows it, quoted as Go does."""
    quoted = json.dumps(rest.decode(errors="replace"), ensure_ascii=False)
    see = "see https://docs.victoriametrics.com/victoriametrics/integrations/influxdb/\n"
    return f"cannot process influx line protocol data: incorrect influx line {quoted}: {why}; {see}"


class Say(Protocol):
    """How a product says that a field has another type than before."""

    def __call__(self, measurement: str, name: str, /, *, got: str, known: str) -> str: ...


def conflict(measurement: str, name: str, *, got: str, known: str) -> str:
    return (
        f'field type conflict: input field "{name}" on measurement "{measurement}" is type {got},'
        f" already exists as type {known}"
    )


def conflict_3(_measurement: str, name: str, *, got: str, known: str) -> str:
    """How InfluxDB 3 puts it, of a line that it names by its number."""
    kind = "iox::column_type::field::"
    return f"invalid column type for column '{name}', expected {kind}{known}, got {kind}{got}"


def too_old_1(count: int) -> str:
    return f"partial write: points beyond retention policy dropped={count}"


def too_old_2(count: int) -> str:
    """How the newer ones of 1 and 2 put it."""
    bound = "Retention Policy Lower Bound at 2026-11-21T06:22:02.612973Z"
    return (
        f"partial write: dropped {count} points outside retention policy of duration 24h0m0s - "
        f"oldest point m,t=a\\ b at 1970-01-01T00:00:01.541Z dropped because it violates a {bound}, "
        f"newest point m,t=a\\ b at 1970-01-01T00:00:01.5410006Z dropped because it violates a {bound} dropped={count}"
    )


def _write_2(status: int, text: str) -> str:
    code = "internal error" if status == 500 else "unprocessable entity"  # of a write that got as far as the engine
    return error_2(code, text)


_BAD = "unable to parse 'nonsense': missing fields"
_CONFLICT = f"partial write: {conflict('m', 'f', got='integer', known='float')} dropped=2"
_TOO_NEW = too_old_2(2).replace("Retention Policy Lower Bound", "Write Window Upper Bound")
_LIMIT = 'partial write: max-values-per-tag limit exceeded (100000/100000): measurement="m" tag="t" value="v" dropped=1'
_DELETING = "partial write: shard 7 is pending deletion dropped=3"
_ENGINE = "failure writing points to database: "
_WHERE = " for database: 9f282d63c7d3a5c0 for retention policy: autogen"
_SPOOF = "unable to parse 'm f=\"partial write: points beyond retention policy dropped=9': invalid field"

_INFLUXDB_1 = (
    Spoken("influx1", "ok", 204, "", TAKEN),
    Spoken("influx1", "an empty body", 200, "", TAKEN),
    Spoken("influx1", "one of several unparsable", 400, error_1(f"partial write: {_BAD} dropped=0"), LINES),
    Spoken("influx1", "all unparsable", 400, error_1(_BAD), LINES),
    Spoken("influx1", "unparsable, speaking of something else", 400, error_1(_SPOOF), LINES),
    Spoken("influx1", "type conflict", 400, error_1(_CONFLICT), LINES),
    Spoken("influx1", "type conflict within the request", 400, error_1("field type conflict"), LINES),
    Spoken("influx1", "too old", 400, error_1(too_old_1(7)), LINES, too_old=7),
    Spoken("influx1", "too old, 1.12", 400, error_1(too_old_2(7)), LINES, too_old=7),
    Spoken("influx1", "too new, 1.12", 400, error_1(_TOO_NEW), LINES),
    Spoken("influx1", "too many values of a tag", 400, error_1(_LIMIT), LINES),
    Spoken("influx1", "a shard being deleted", 400, error_1(_DELETING), BUSY),
    Spoken("influx1", "no database named", 400, error_1("database is required"), SETTING),
    Spoken("influx1", "unpacked on the way", 400, error_1("gzip: invalid header"), SETTING),
    Spoken("influx1", "wrong password", 401, error_1("authorization failed"), STRANGER),
    Spoken("influx1", "no password", 401, error_1("unable to parse authentication credentials"), STRANGER),
    Spoken(
        "influx1", "may only read", 403, error_1('"r" user is not authorized to write to database "home"'), STRANGER
    ),
    Spoken("influx1", "database missing", 404, error_1('database not found: "home"'), SETTING),
    Spoken("influx1", "no v2 endpoint", 404, "404 page not found\n", SETTING, headers=TEXT),
    Spoken("influx1", "too large", 413, error_1("Request Entity Too Large"), LARGE),
    Spoken("influx1", "retention policy missing", 500, error_1("retention policy not found: raw"), SETTING),
    Spoken("influx1", "timeout", 500, error_1("timeout"), BUSY),
    Spoken("influx1", "cache full", 500, error_1("engine: cache-max-memory-size exceeded: (101/100)"), BUSY),
    Spoken("influx1", "queue full", 503, "request throttled, queue full\n", BUSY, headers=TEXT),
    Spoken("influx1", "queue slow", 503, "request throttled, exceeds timeout\n", BUSY, headers=TEXT),
)

_INFLUXDB_2 = (
    Spoken("influx2", "ok", 204, "", TAKEN),
    Spoken("influx2", "unparsable", 400, error_2("invalid", f"{_BAD}\n{_BAD}"), LINES),
    Spoken("influx2", "no organisation", 400, error_2("invalid", "Please provide either orgID or org"), SETTING),
    Spoken("influx2", "wrong token", 401, error_2("unauthorized", "unauthorized access"), STRANGER),
    Spoken("influx2", "may only read", 403, error_2("forbidden", "insufficient permissions for write"), STRANGER),
    Spoken("influx2", "bucket missing", 404, error_2("not found", 'bucket "home" not found'), SETTING),
    Spoken("influx2", "no such organisation", 404, error_2("not found", 'organization name "o" not found'), SETTING),
    Spoken("influx2", "too large", 413, error_2("request too large", "points batch is too large"), LARGE),
    Spoken("influx2", "type conflict", 422, _write_2(422, _ENGINE + _CONFLICT + _WHERE), LINES),
    Spoken("influx2", "type conflict, 2.0", 500, _write_2(500, f"unexpected error writing points: {_CONFLICT}"), LINES),
    Spoken("influx2", "too old, 2.0", 422, _write_2(422, _ENGINE + too_old_1(7)), LINES, too_old=7),
    Spoken("influx2", "too old", 422, _write_2(422, _ENGINE + too_old_2(7) + _WHERE), LINES, too_old=7),
    Spoken("influx2", "a shard being deleted", 422, _write_2(422, _ENGINE + _DELETING), BUSY),
    Spoken("influx2", "fault of its own", 500, _write_2(500, "unexpected error writing points"), BUSY),
    Spoken(
        *("influx2", "overloaded", 503, error_2("unavailable", "service unavailable"), BUSY),
        headers=JSON | {"Retry-After": "30"},
        after=30.0,
    ),
    Spoken("cloud", "wrong token", 401, error_2("unauthorized", "unauthorized access"), STRANGER),
    Spoken(
        *("cloud", "over the plan's rate", 429, error_2("too many requests", "limited_write plan limit"), BUSY),
        headers=JSON | {"Retry-After": "237"},
        after=237.0,
    ),
    Spoken("cloud", "its proxy has no database", 503, "upstream connect error", BUSY, headers=TEXT),
)

_BAD_3 = {"original_line": "nonsense", "line_number": 3, "error_message": "Could not parse line: no fields"}
_TABLES = "Update to schema would exceed number of tables per database limit of 2000 tables"

_INFLUXDB_3 = (
    Spoken("influx3", "ok", 204, "", TAKEN),
    Spoken("influx3", "unparsable", 400, error_3("parsing failed for write_lp endpoint", _BAD_3), LINES),
    Spoken("influx3", "partial write", 400, error_3("partial write of line protocol occurred", [_BAD_3]), LINES),
    Spoken("influx3", "no database named", 400, "missing field `bucket`", SETTING, headers=TEXT),
    Spoken("influx3", "no token", 401, "", STRANGER, headers=NOTHING),
    Spoken("influx3", "wrong token", 401, '{"error": "the request was not authenticated"}', STRANGER),
    Spoken("influx3", "may only read", 403, "", STRANGER, headers=NOTHING),
    Spoken("influx3", "too large", 413, '{"error": "max request size (10485760 bytes) exceeded"}', LARGE),
    Spoken("influx3", "a table too many", 422, error_3(_TABLES, None), LINES),
    Spoken("influx3", "too many requests", 429, "", BUSY, headers=NOTHING),
    Spoken("influx3", "unavailable", 503, "", BUSY, headers=NOTHING),
)

_BAD_VICTORIA = error_victoria(b'bad "x"\nm f=1', 'missing field value for "\\"x\\""')
_SPOOF_VICTORIA = error_victoria(b'm text="unsupported path requested', "missing closing quote")

_VICTORIA = (
    Spoken("victoria", "ok", 204, "", TAKEN),
    Spoken("victoria", "unparsable", 400, _BAD_VICTORIA, LINES, headers=TEXT),
    Spoken("victoria", "unparsable, speaking of something else", 400, _SPOOF_VICTORIA, LINES, headers=TEXT),
    Spoken("victoria", "wrong path", 400, 'unsupported path requested: "/x/api/v2/write"\n', SETTING, headers=TEXT),
    Spoken("victoria", "vmauth's wrong path", 400, "missing route for http://vm/write\n", SETTING, headers=TEXT),
    Spoken("victoria", "a proxy's password", 401, "<html>401</html>", STRANGER, headers=PAGE),
    Spoken("victoria", "a proxy without it", 502, "<html>502</html>", AWAY, headers=PAGE),
    Spoken("victoria", "a proxy that does not wait", 504, "", SLOW, headers=NOTHING),
    Spoken("victoria", "too many at once", 503, "8 concurrent insert requests are executed", BUSY, headers=TEXT),
    Spoken("victoria", "no room on disk", 503, "the storage is in read-only mode", BUSY, headers=TEXT),
)

SPOKEN = (*_INFLUXDB_1, *_INFLUXDB_2, *_INFLUXDB_3, *_VICTORIA)
