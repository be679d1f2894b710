r"""Lines that were encoded for one family of databases, as the other one can hold them. Pure.

For VictoriaMetrics, which keeps numbers only, the fields that are numbers stay as they are spelt (it reads ``5i`` and
``true`` as numbers itself, and InfluxDB could take them back), and a text that tells a state becomes a series with the
text as a tag, see ``victoria.py``. That is a field ``state``, or ``state_value`` of the events schema, unless its
number stands beside it. Other texts are left out and counted.

Back to InfluxDB such a series becomes the text again, and its end, which is 0, vanishes.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from homeiq_server.errors import Rejected
from homeiq_server.history.line_parts import Parts
from homeiq_server.history.line_parts import read as take_apart
from homeiq_server.history.line_protocol import INFLUX, VICTORIA, Dialect, Form, Line, number, string
from homeiq_server.history.precision import PRECISIONS

from .state import read
from .victoria import OTHER, STATE_TAG, Current, StateTexts

_NUMBERS: Final = {"state": "value", "state_value": "numeric_value"}
"""The fields of the schemas that hold a state's text, and those that hold its number."""

_ESCAPED: Final = re.compile(r'\\(["\\])')
_LONGEST_KEY: Final = 200  # bytes; of a longer head, its hash is remembered


class Memory:
    """What is known of the lines before, so that a text ends when another one begins.

    Attributes:
        left_out: What could not be stored: ``text fields``, and ``states folded`` into ``other``.
        texts: Which texts each series has shown.
        is_empty: No series has shown any.
    """

    def __init__(self, left_out: Counter[str] | None = None) -> None:
        """Know nothing; count in ``left_out``."""
        self.left_out: Counter[str] = Counter() if left_out is None else left_out
        self.texts = StateTexts()
        self.is_empty = True

    def changes_nothing(self, lines: bytes) -> bool:
        """Tell whether lines for InfluxDB are just as good for VictoriaMetrics, as those without any text are."""
        return self.is_empty and b'"' not in lines and b"\\" not in lines


def translate(lines: Sequence[bytes], *, to: Form, precision: str, memory: Memory | None = None) -> list[bytes]:
    r"""Return for each line what is to be stored of it: nothing, a line, or several ones separated by ``\n``.

    Args:
        lines: Encoded for the other family, each with a time; in the order of their times as far as possible.
        to: The family of the database.
        precision: What the times count: ``ns``, ``us``, ``ms`` or ``s``.
        memory: What is known of earlier lines; needed for VictoriaMetrics only, and kept up to date.
    """
    if to == "influx":
        return [_to_influx(line) for line in lines]
    return _ToVictoria(memory or Memory(), PRECISIONS[precision].unit_ns).translate(lines)


@dataclass(slots=True)
class _Instant:
    """The last change of a state's series: when, in which place of the batch, and what was known before it."""

    time_ms: int
    place: int
    before: Current | None


class _ToVictoria:
    """Translates one batch."""

    def __init__(self, memory: Memory, unit_ns: int) -> None:
        self._memory = memory
        self._unit_ns = unit_ns
        self._numbers: list[bytes] = []
        self._states: list[list[bytes]] = []
        self._latest: dict[str, _Instant] = {}

    def translate(self, lines: Sequence[bytes]) -> list[bytes]:
        for line in lines:
            self._states.append([])
            self._numbers.append(self._one(line))
        return [
            b"\n".join((*([numbers] if numbers else []), *states))
            for numbers, states in zip(self._numbers, self._states, strict=True)
        ]

    def _one(self, line: bytes) -> bytes:
        """Return the line without its texts, and add those of its state to the states."""
        if b'"' not in line and b"\\" not in line and not self._is_known(line):
            return line
        try:
            parts = take_apart(line)
        except Rejected:
            return line  # the database will tell what is wrong with it
        head = _encoded_head(parts) if b"\\" in parts.head else parts.head
        numbers = [(key, value) for key, value in parts.fields if not value.startswith(b'"')]
        texts = {_decoded(key): value for key, value in parts.fields if value.startswith(b'"')}
        self._states[-1] += self._state(parts, head, texts, {key for key, _ in numbers})
        if texts:
            self._memory.left_out["text fields"] += len(texts)
        fields = b",".join(_encoded_field_key(key) + b"=" + value for key, value in numbers)
        return b"%b %b%b" % (head, fields, _time(parts)) if fields else b""

    def _is_known(self, line: bytes) -> bool:
        """Tell whether its series has shown a text before, which may end with this line."""
        return not self._memory.is_empty and self._memory.texts.current(_key(line.partition(b" ")[0])) is not None

    def _state(self, parts: Parts, head: bytes, texts: dict[str, bytes], numbers: set[bytes]) -> Iterator[bytes]:
        """Yield the lines of the state's texts, and take the one that is told from ``texts``."""
        if any(key == STATE_TAG.encode() for key, _ in parts.tags):
            return  # the tag is taken
        told = [field for field, beside in _NUMBERS.items() if beside.encode() in numbers]
        for field in _NUMBERS:
            text = _text(texts[field]) if field in texts else None
            if text is not None and (field not in told or read(text).kind in ("text", "gap")):
                del texts[field]
                yield from self._change(parts, head, field, text)
                return
        for field in told[:1]:
            yield from self._change(parts, head, field, None)

    def _change(self, parts: Parts, head: bytes, field: str, state: str | None) -> Iterator[bytes]:
        """Yield what ends and what begins at the time of the line."""
        texts, key = self._memory.texts, _key(head)
        time_us = (parts.time or 0) * self._unit_ns // 1_000
        if state is None and texts.current(key) is None:
            return
        current = self._current(key, time_us // 1_000)
        begun = None if state is None else texts.tag(key, state)
        self._memory.is_empty = False
        if begun == OTHER and state != OTHER:
            self._memory.left_out["states folded"] += 1
        is_late = current is not None and current.seen_us > time_us
        if current and current.text not in (None, begun) and not is_late:
            yield _state_line(head, current.text, field, "0.0", _time(parts))
        if begun is not None:
            yield _state_line(head, begun, field, "1.0", _time(parts))
            if current and is_late and current.text != begun:
                # Rounded up: at the instant at which it began, it would not end.
                end = -(-current.began_after(time_us) * 1_000 // self._unit_ns)
                yield _state_line(head, begun, field, "0.0", b" %d" % end)
        texts.begin(key, begun, time_us)

    def _current(self, key: str, time_ms: int) -> Current | None:
        """Return what is 1 before this line.

        Of two values within a millisecond VictoriaMetrics keeps the larger one, so of changes that are so close only
        the last is written, see ``milliseconds.py``.
        """
        latest = self._latest.get(key)
        if latest is not None and latest.time_ms == time_ms:
            self._states[latest.place] = []
            before = latest.before
        else:
            known = self._memory.texts.current(key)
            before = None if known is None else Current(known.text, known.since_us, known.seen_us)
        self._latest[key] = _Instant(time_ms, len(self._states) - 1, before)
        return before


def _state_line(head: bytes, text: str | None, field: str, value: str, time: bytes) -> bytes:
    tag = VICTORIA.key(text or OTHER)
    return head + _encoded(f",{STATE_TAG}={tag} {field}={value}") + time


def _key(head: bytes) -> str:
    if len(head) > _LONGEST_KEY:
        return blake2b(head, digest_size=16).hexdigest()
    return _decoded(head)


def _time(parts: Parts) -> bytes:
    return b"" if parts.time is None else b" %d" % parts.time


def _text(quoted: bytes) -> str:
    return _ESCAPED.sub(r"\1", _decoded(quoted[1:-1]))


def _encoded_head(parts: Parts) -> bytes:
    """Return measurement and tags by VictoriaMetrics' rules for backslashes."""
    tags = [(INFLUX.read_key(_decoded(key)), INFLUX.read_key(_decoded(value))) for key, value in parts.tags]
    measurement = VICTORIA.measurement(INFLUX.read_measurement(_decoded(parts.measurement)))
    return _encoded(measurement + "".join(f",{VICTORIA.key(key)}={VICTORIA.key(value)}" for key, value in tags))


def _encoded_field_key(key: bytes) -> bytes:
    if b"\\" not in key and b'"' not in key:
        return key
    return _encoded(VICTORIA.field_key(INFLUX.read_key(_decoded(key))))


def _to_influx(line: bytes) -> bytes:
    if b"\\" not in line and b",state=" not in line:
        return line
    try:
        parsed = VICTORIA.parse(_decoded(line))
    except Rejected:
        return line
    tags, fields = dict(parsed.tags), parsed.fields
    if (text := tags.get(STATE_TAG)) is not None and len(fields) == 1:
        ((field, value),) = fields.items()
        if field in _NUMBERS and isinstance(value, float) and value in (0.0, 1.0):
            if not value:
                return b""
            del tags[STATE_TAG]
            fields = {field: text}
    return _encoded(_line(INFLUX, parsed, tags, fields))


def _line(dialect: Dialect, parsed: Line, tags: dict[str, str], fields: dict[str, float | int | str | bool]) -> str:
    spelt = ",".join(f"{dialect.field_key(key)}={_value(value)}" for key, value in fields.items())
    time = "" if parsed.time is None else f" {parsed.time}"
    return f"{dialect.measurement(parsed.measurement)}{dialect.tags(tags)} {spelt}{time}"


def _value(value: float | str) -> str:
    match value:
        case str():
            return string(value)
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value}i"
        case _:
            return number(value)


def _decoded(text: bytes) -> str:
    return text.decode(errors="surrogateescape")


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
