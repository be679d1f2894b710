r"""InfluxDB line protocol: text in, text out.

Source: docs.influxdata.com, "Line protocol reference", and the parsers of InfluxDB 1 and 2 (``models/points.go``),
InfluxDB 3 (``influxdb_line_protocol``) and VictoriaMetrics (``lib/protoparser/influx``), which disagree on backslashes.

What the format cannot say is folded, so that nothing can ever end a line early:

- a line break or tab in a name or a tag becomes ``\n``, ``\r`` or ``\t``, spelled out, as InfluxDB's clients do;
- a line break in a string field becomes a space, as Home Assistant does;
- for InfluxDB, a backslash at the end of a name or a tag becomes a space: its parser would take it for an escape of
  the separator behind it. InfluxDB's clients do so for tag values, and send broken lines for names;
- a measurement that begins with ``#`` gets a backslash before it: the line would be taken for a comment, and lost.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from homeiq_server.errors import Rejected

type Field = float | str
"""Every number is a float: a field that is an integer now and a float later would be a type conflict."""

type Form = Literal["influx", "victoria"]
"""What lines are made for: databases that hold texts, or one of numbers, for which a text has to be a tag."""

type Fields = Mapping[str, Field]
type Tags = Mapping[str, str]

_SPELLED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BOOLEANS = ("t", "true", "f", "false")
_STRING = str.maketrans({'"': '\\"', "\\": "\\\\"})


@dataclass(frozen=True, slots=True)
class Line:
    """A line as a database reads it.

    Attributes:
        measurement: Never empty.
        tags: By key.
        fields: By key, at least one.
        time: In the precision of the request, or None when the database is to set it.
    """

    measurement: str
    tags: dict[str, str]
    fields: dict[str, float | int | str | bool]
    time: int | None


def single_line(text: str) -> str:
    """Return the text with its line breaks replaced by spaces, by Home Assistant's rule."""
    return " ".join(text.splitlines())


def string(text: str) -> str:
    """Return the text as a quoted string field."""
    if text.isalnum():  # the usual case, an identifier or a word, has nothing to escape
        return f'"{text}"'
    return f'"{single_line(text).translate(_STRING)}"'


def number(value: float) -> str:
    """Return a finite number as a float field; its shortest text that reads back the same."""
    return repr(float(value))


_ODD_BEFORE_SEPARATOR: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\(?=[,= ])")
_PAIR_AT_END: Final = re.compile(r"(?<!\\)((?:\\\\)*\\)\\\Z")


class Dialect:
    """How one family of databases escapes names and tags, both ways."""

    def __init__(self, *, measurement: str, key: str, field_key: str, pairs: bool) -> None:
        """Take the characters that need a backslash before them, by where they stand.

        Args:
            measurement: In a measurement.
            key: In the key or value of a tag.
            field_key: In the key of a field.
            pairs: A backslash is itself written as a pair, so that a name may end with one.
        """
        self._pairs = pairs
        self._measurement = self._table(measurement)
        self._key = self._table(key)
        self._field_key = self._table(field_key)
        self._line, self._tag, self._field = _patterns(pairs=pairs)
        self._in_measurement = re.compile(r"\\([,= \\])" if pairs else r"\\([, ])")
        self._in_key = re.compile(r"\\([,= \\])" if pairs else r"\\([,= ])")

    def _table(self, special: str) -> dict[int, str]:
        table = {character: f"\\{character}" for character in special} | _SPELLED
        if self._pairs:
            table |= {character: f"\\{spelled}" for character, spelled in _SPELLED.items()} | {"\\": "\\\\"}
        return str.maketrans(table)

    def _escape(self, text: str, table: dict[int, str]) -> str:
        escaped = text.translate(table)
        return f"{escaped} " if escaped.endswith("\\") and not self._pairs else escaped

    def read_measurement(self, text: str) -> str:
        """Return the name of a measurement that was found in a line."""
        return self._in_measurement.sub(r"\1", text)

    def read_key(self, text: str) -> str:
        """Return what a key, or the value of a tag, found in a line stands for."""
        return self._in_key.sub(r"\1", text)

    def measurement(self, name: str) -> str:
        """Return the measurement, escaped; it must not be empty."""
        escaped = self._escape(name, self._measurement)
        return f"\\{escaped}" if escaped.startswith("#") else escaped

    def key(self, text: str) -> str:
        """Return the key or the value of a tag, escaped; it must not be empty."""
        return self._escape(text, self._key)

    def field_key(self, text: str) -> str:
        """Return the key of a field, escaped; it must not be empty.

        InfluxDB takes backslashes by pairs there, so that one before a separator cannot be said: it is left out. At the
        end the last one of a pair is: not everybody who reads lines knows pairs.
        """
        if self._pairs or "\\" not in text:
            return self._escape(text, self._field_key)
        return self._escape(_PAIR_AT_END.sub(r"\1", _ODD_BEFORE_SEPARATOR.sub(r"\1", text)), self._field_key)

    def tags(self, tags: Tags) -> str:
        """Return ``,key=value`` for each tag, sorted by key; one with an empty key or value does not exist."""
        return "".join(f",{self.key(key)}={self.key(tags[key])}" for key in sorted(tags) if key and tags[key])

    def fields(self, fields: Fields) -> str:
        """Return ``,key=value`` for each field; one with an empty key, or that is not finite, is left out."""
        return "".join(
            f",{self.field_key(key)}={string(value) if isinstance(value, str) else number(value)}"
            for key, value in fields.items()
            if key and (isinstance(value, str) or math.isfinite(value))
        )

    def parse(self, text: str) -> Line:
        """Read one line.

        Raises:
            Rejected: This is not a line; the text shows where it begins.
        """
        if (match := self._line.fullmatch(text)) is None or text.startswith("#"):
            raise Rejected(f"not line protocol: {text[:80]!r}")
        return Line(
            measurement=self.read_measurement(match["measurement"]),
            tags={self.read_key(k): self.read_key(v) for k, v in self._tag.findall(match["tags"])},
            fields={self.read_key(k): _value(v) for k, v in self._field.findall(match["fields"])},
            time=int(match["time"]) if match["time"] else None,
        )


def _patterns(*, pairs: bool) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    """Return what a line, one of its tags and one of its fields look like."""

    def name(stops: str) -> str:
        # Possessive: a separator that is escaped must not become one on a second try.
        return rf"(?:\\.|[^\\{stops}])++" if pairs else rf"(?:[^{stops}]|(?<=\\)[{stops}])++"

    key, value = name(",= "), r'(?:"(?:\\.|[^"\\])*+"|[^\s,"]++)'
    line = (
        rf"(?P<measurement>{name(', ')})(?P<tags>(?:,{key}={key})*) +"
        rf"(?P<fields>{key}={value}(?:,{key}={value})*)(?: +(?P<time>-?\d+))? *"
    )
    return re.compile(line), re.compile(f",({key})=({key})"), re.compile(f"({key})=({value}),?")


def _value(text: str) -> float | int | str | bool:
    if text.startswith('"'):
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
    if text.lower() in _BOOLEANS:
        return text.lower().startswith("t")
    try:
        return int(text[:-1]) if text.endswith(("i", "u")) else float(text)
    except ValueError as err:
        raise Rejected(f"not a field value: {text[:80]!r}") from err


INFLUX: Final = Dialect(measurement=", ", key=",= ", field_key=",= ", pairs=False)
# VictoriaMetrics looks for quotes in the keys of fields too.
VICTORIA: Final = Dialect(measurement=",= ", key=",= ", field_key=',= "', pairs=True)
