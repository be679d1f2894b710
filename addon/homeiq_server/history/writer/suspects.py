"""Which lines a refusal names, in each database's way of saying so. Pure.

Sources: InfluxDB 1.8 ``models/points.go`` and ``tsdb/shard.go``, 2.7 ``http/points`` and 3 Core ``write/validator``;
VictoriaMetrics ``lib/protoparser/influx`` (its answers were recorded from 1.145).
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from homeiq_server.errors import Rejected
from homeiq_server.history import line_parts
from homeiq_server.history.line_protocol import INFLUX

from .field_types import Conflict, conflict_in, kind_of

# Go quotes the rest of the body from the bad line on; only the first line of it is bad.
_QUOTED: Final = re.compile(
    r'incorrect influx line "(?P<line>(?:[^"\\]++|\\[^n])*+)(?:\\n(?:[^"\\]++|\\.)*+)?": (?P<why>.*)'
)


class _NumberedFault(msgspec.Struct):
    """One bad line in an answer of InfluxDB 3; the numbers count from 1, long lines are cut."""

    line_number: int
    error_message: str = ""
    original_line: str = ""


class _Numbered(msgspec.Struct):
    error: str
    data: list[_NumberedFault] | _NumberedFault


class _Plain(msgspec.Struct):
    """The bodies of InfluxDB 2 (``message``) and 1 (``error``)."""

    message: str = ""
    error: str = ""


def named_lines(text: str, lines: Sequence[bytes]) -> dict[int, str]:
    """Return the index of each line that the answer's text names, and why it was refused; empty when it names none.

    A name that does not fit the lines is not trusted: a wrong guess would condemn a good line.
    """
    try:
        numbered = msgspec.json.decode(text, type=_Numbered)
    except msgspec.DecodeError, UnicodeEncodeError:
        message = _message(text)
        return dict(_unparsable(message, lines)) or dict(_quoted(message, lines)) or dict(_conflicting(message, lines))
    return dict(_numbered(numbered, lines))


def _message(text: str) -> str:
    try:
        plain = msgspec.json.decode(text, type=_Plain)
    except msgspec.DecodeError, UnicodeEncodeError:
        return text
    return plain.message or plain.error or text


def _numbered(answer: _Numbered, lines: Sequence[bytes]) -> Iterator[tuple[int, str]]:
    """InfluxDB 3: by number."""
    for fault in answer.data if isinstance(answer.data, list) else [answer.data]:
        index = fault.line_number - 1
        shown = fault.original_line.removesuffix("...").encode()[:20]
        if 0 <= index < len(lines) and lines[index].startswith(shown):
            yield index, fault.error_message or answer.error


def _unparsable(message: str, lines: Sequence[bytes]) -> Iterator[tuple[int, str]]:
    """InfluxDB 1 and 2: ``unable to parse '<line>': <why>``, one after the other."""
    faults = message.split("unable to parse '")[1:]
    where = _places(lines) if faults else {}
    for fault in faults:
        for quote in re.finditer("': ", fault):
            if (found := where.get(fault[: quote.start()].encode())) is not None:
                why = fault[quote.end() :].splitlines()[0].strip()
                yield from ((index, why) for index in found)
                break


def _quoted(message: str, lines: Sequence[bytes]) -> Iterator[tuple[int, str]]:
    """VictoriaMetrics: the first bad line, quoted as Go does, with all that follows it."""
    if (match := _QUOTED.search(message)) is None:
        return
    try:
        line = msgspec.json.decode(f'"{match["line"]}"', type=str).encode()
    except msgspec.DecodeError, UnicodeEncodeError:
        return  # an escape that Go has and JSON has not
    yield from ((index, match["why"].partition("; see ")[0]) for index in _places(lines).get(line, ()))


def _conflicting(message: str, lines: Sequence[bytes]) -> Iterator[tuple[int, str]]:
    """InfluxDB 1 and 2: the lines that give that field of that measurement that type."""
    if (conflict := conflict_in(message)) is None or conflict.measurement is None:
        return
    start = re.split("[, ]", conflict.measurement)[0].encode()  # of the name as it is escaped; cheaper than to read all
    for index, line in enumerate(lines):
        if line.startswith(start) and _shows(conflict, line):
            yield index, conflict.text


def _shows(conflict: Conflict, line: bytes) -> bool:
    try:
        parts = line_parts.read(line)
    except Rejected:
        return False
    measurement = INFLUX.read_measurement(parts.measurement.decode(errors="replace"))
    fields = {INFLUX.read_key(key.decode(errors="replace")): value for key, value in parts.fields}
    value = fields.get(conflict.field)
    return measurement == conflict.measurement and value is not None and kind_of(value) == conflict.got


def _places(lines: Sequence[bytes]) -> dict[bytes, list[int]]:
    """Return where each line stands; the same one may stand there twice."""
    places: dict[bytes, list[int]] = {}
    for index, line in enumerate(lines):
        places.setdefault(line, []).append(index)
    return places
