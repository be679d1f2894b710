"""The types of fields, what a database says when one is another than before, and which change loses nothing. Pure.

Sources: InfluxDB 1.8 and 2.7 ``tsdb/shard.go``; InfluxDB 3 Core ``influxdb3_write/src/write_buffer/validator.rs``.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

type Kind = Literal["boolean", "float", "integer", "string", "unsigned"]

_KINDS: Final[dict[str, Kind]] = {
    "boolean": "boolean",
    "bool": "boolean",
    "float": "float",
    "float64": "float",
    "integer": "integer",
    "int64": "integer",
    "string": "string",
    "unsigned": "unsigned",
    "uinteger": "unsigned",
    "uint64": "unsigned",
}
_BOOLEANS: Final = frozenset({b"t", b"T", b"true", b"True", b"TRUE", b"f", b"F", b"false", b"False", b"FALSE"})
_INTEGERS: Final = range(-(2**63), 2**63)
_UNSIGNED: Final = range(2**64)

_BY_SHARD: Final = re.compile(
    r'field type conflict: input field "(?P<field>.*?)" on measurement "(?P<measurement>.*?)"'
    r" is type (?P<got>\w+), already exists as type (?P<exists>\w+)"
)
_BY_TABLE: Final = re.compile(
    r"invalid column type for column '(?P<field>.*?)', expected iox::column_type::(?:field::)?(?P<exists>\w+),"
    r" got iox::column_type::field::(?P<got>\w+)"
)


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field came with another type than it has.

    Attributes:
        measurement: None where the database names the line instead, as InfluxDB 3 does.
        field: Its name, not escaped.
        got: Its type in the line.
        exists: Its type in the database; None for what no field can be, such as a tag.
        text: The part of the message that tells it.
    """

    measurement: str | None
    field: str
    got: Kind
    exists: Kind | None
    text: str


def conflict_in(text: str) -> Conflict | None:
    """Return the first conflict that a message tells of."""
    found = _BY_SHARD.search(text) or _BY_TABLE.search(text)
    if found is None or (got := _KINDS.get(found["got"])) is None:
        return None
    return Conflict(found.groupdict().get("measurement"), found["field"], got, _KINDS.get(found["exists"]), found[0])


def kind_of(value: bytes) -> Kind:
    """Return the type of a field's value as it is spelt in a line."""
    if value.startswith(b'"'):
        return "string"
    if value.endswith(b"i"):
        return "integer"
    if value.endswith(b"u"):
        return "unsigned"
    return "boolean" if value in _BOOLEANS else "float"


def coerced(value: bytes, to: Kind | None) -> bytes | None:
    """Return the same value spelt as another type; None where something would be lost, or guessed."""
    kind = kind_of(value)
    if to == "string" and kind != "string":
        return b'"%b"' % _spelt(value, kind)
    if to not in ("float", "integer", "unsigned") or kind in ("string", "boolean"):
        return None
    number = int(value[:-1]) if kind != "float" else float(value)
    if (whole := int(number)) != number:
        return None
    if to == "float":
        return repr(float(whole)).encode() if int(float(whole)) == whole else None
    if to == "integer":
        return b"%di" % whole if whole in _INTEGERS else None
    return b"%du" % whole if whole in _UNSIGNED else None


def _spelt(value: bytes, kind: Kind) -> bytes:
    """Return what people would read."""
    if kind == "boolean":
        return b"true" if value[:1] in (b"t", b"T") else b"false"
    return value if kind == "float" else value[:-1]
