r"""One line of line protocol, taken apart by the rules of InfluxDB's own parser: exact, and slow (some 10 µs). Pure.

Source: ``models/points.go`` of InfluxDB 1 and 2; the reason of a refusal is in its words.

Stricter than InfluxDB in one point: nothing may stand between the closing quote of a text and the comma behind it. Left
to the database, because looking for it would cost as much as all the rest: a tag that is there twice, and a name over
64 KiB.
"""

import math
import re
import sys
from dataclasses import dataclass
from typing import Final

from homeiq_server.errors import Rejected

# In names, a backslash right before a separator makes it part of the name, whatever stands before the backslash.
_MEASUREMENT: Final = re.compile(rb"[^,][^, ]*+(?:(?<=\\)[, ][^, ]*+)*+", re.DOTALL)
_TAG: Final = re.compile(
    rb",(?P<key>[^ ,=][^ ,=]*+(?:(?<=\\)[ ,=][^ ,=]*+)*+)=(?P<value>[^ ,][^ ,=]*+(?:(?<=\\)[ ,=][^ ,=]*+)*+)(?=[, ])",
    re.DOTALL,
)
_MISSING_TAG_KEY: Final = re.compile(rb",(?:[ ,=]|\Z)")
_TAG_AND_EQUALS: Final = re.compile(rb",[^ ,=]*+(?:(?<=\\)[ ,=][^ ,=]*+)*+=(?![ ,]|\Z)", re.DOTALL)
# From here on a backslash takes the character behind it with it, so that two of them escape nothing.
_FIELD_KEY: Final = re.compile(rb"[^ ,=\\]*+(?:\\.[^ ,=\\]*+)*+", re.DOTALL)
_FIELD: Final = re.compile(
    rb"(?P<key>" + _FIELD_KEY.pattern + rb")="
    rb'(?:(?P<text>"[^"\\]*+(?:\\.[^"\\]*+)*+")'
    rb"|(?P<integer>-?[0-9]+i|[0-9]+u)"
    rb"|(?P<float>-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    rb"|(?P<boolean>t(?:rue)?|T(?:rue|RUE)?|f(?:alse)?|F(?:alse|ALSE)?))"
    rb"(?=[, ]|\Z)",
    re.DOTALL,
)
_INTEGER: Final = re.compile(rb"-?[0-9]++")
WHITE_SPACE: Final = re.compile(rb"[ \t\0]++")

_LONG: Final = 18  # characters; a shorter integer is within 64 bits
_TOO_LONG: Final = 21  # a longer one is not, and may be too long for Python too


@dataclass(frozen=True, slots=True)
class Parts:
    """A line, each part as it is spelt.

    Attributes:
        measurement: Not empty.
        tags: Key and value of each, in their order.
        fields: Key and value of each, in their order; a value that is a text is in its quotes.
        time: In the precision of the request, or None when there is none.
        head: Measurement and tags together.
        body: All fields together.
    """

    measurement: bytes
    tags: list[tuple[bytes, bytes]]
    fields: list[tuple[bytes, bytes]]
    time: int | None
    head: bytes
    body: bytes


def read(line: bytes) -> Parts:
    """Take a line apart; it must not begin with white space.

    Raises:
        Rejected: This is not line protocol; the text tells why, without the line.
    """
    if (measurement := _MEASUREMENT.match(line)) is None:
        raise Rejected("missing measurement")
    if measurement.end() == len(line):
        raise Rejected("missing fields")
    tags, end = _tags(line, measurement.end())
    start = end_of(WHITE_SPACE, line, end)
    fields, stop = _fields(line, start)
    return Parts(measurement[0], tags, fields, _time(line, stop), line[:end], line[start:stop])


def _tags(line: bytes, at: int) -> tuple[list[tuple[bytes, bytes]], int]:
    tags = []
    while line[at] == ord(","):
        if (found := _TAG.match(line, at)) is None:
            raise Rejected(_fault_of_tag(line, at))
        tags.append((found["key"], found["value"]))
        at = found.end()
    return tags, at


def _fault_of_tag(line: bytes, at: int) -> str:
    if _MISSING_TAG_KEY.match(line, at):
        return "missing tag key"
    if not _TAG_AND_EQUALS.match(line, at):
        return "missing tag value"
    return "invalid tag format" if b"=" in line[at:].partition(b"=")[2] else "missing fields"


def _fields(line: bytes, at: int) -> tuple[list[tuple[bytes, bytes]], int]:
    fields = []
    while True:
        found = _FIELD.match(line, at)
        if found is None or not found["key"]:
            raise Rejected(_fault_of_field(line, at))
        kind = found.lastgroup or "text"
        value = found[kind]
        _check_range(kind, value)
        fields.append((found["key"], value))
        at = found.end()
        if line[at : at + 1] != b",":
            return fields, at
        at += 1


def _fault_of_field(line: bytes, at: int) -> str:
    equals = end_of(_FIELD_KEY, line, at)
    if line[equals : equals + 1] != b"=":
        return "invalid field format"
    if equals == at:
        return "missing field key"
    match line[equals + 1 : equals + 2]:
        case b"" | b" " | b",":
            return "missing field value"
        case b'"':
            return "unbalanced quotes" if line.count(b'"', equals) == 1 else "invalid field format"
        case first if first in b"0123456789.-nN":
            return "invalid number"
        case _:
            return "invalid boolean"


def _check_range(kind: str, value: bytes) -> None:
    if kind == "integer" and len(value) > _LONG:
        bits = 64 if value.endswith(b"u") else 63
        if len(value) > _TOO_LONG or not -(2**63) <= int(value[:-1]) < 2**bits:
            raise Rejected("invalid number")
    elif kind == "float" and not math.isfinite(float(value)):
        raise Rejected("invalid float")


def _time(line: bytes, at: int) -> int | None:
    at = end_of(WHITE_SPACE, line, at)
    end = end_of(_INTEGER, line, at)
    if line[end:].strip(b" "):
        raise Rejected("point is invalid" if at < end < len(line) and line[end] == ord(" ") else "bad timestamp")
    if end - at > _TOO_LONG:
        raise Rejected("time outside range")
    return int(line[at:end]) if at < end else None


def end_of(pattern: re.Pattern[bytes], text: bytes | bytearray, at: int, stop: int = sys.maxsize) -> int:
    """Return where that ends which the pattern allows at a place: there, when it allows nothing."""
    return found.end() if (found := pattern.match(text, at, stop)) else at
