"""One record: the values of one row."""

from struct import unpack_from
from typing import Final

type Value = int | float | str | bytes | None

_INTEGER_BYTES: Final = (0, 1, 2, 3, 4, 6, 8)  # by serial type
_FLOAT, _ZERO, _ONE, _FIRST_BLOB, _FIRST_TEXT = 7, 8, 9, 12, 13
_VARINT_BYTES: Final = 9


class Unreadable(Exception):
    """What is here is no record, or not all of one."""


def varint(raw: bytes, at: int) -> tuple[int, int]:
    """Return the number at ``at`` and where it ends.

    Raises:
        Unreadable: It goes beyond the end.
    """
    number = 0
    for offset in range(_VARINT_BYTES):
        if at + offset >= len(raw):
            raise Unreadable("a number is cut")
        byte = raw[at + offset]
        if offset == _VARINT_BYTES - 1:
            return number << 8 | byte, at + _VARINT_BYTES
        number = number << 7 | byte & 0x7F
        if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows
            return number, at + offset + 1
    raise AssertionError


def decode(raw: bytes) -> tuple[Value, ...]:
    """Return a record's values.

    Raises:
        Unreadable: It contradicts itself.
    """
    header_bytes, at = varint(raw, 0)
    body = header_bytes
    values = []
    while at < header_bytes:
        serial, at = varint(raw, at)
        value, body = _value(raw, serial, body)
        values.append(value)
    if at != header_bytes or body != len(raw):
        raise Unreadable("a record is longer or shorter than it says")
    return tuple(values)


def _value(raw: bytes, serial: int, at: int) -> tuple[Value, int]:
    if serial in {_ZERO, _ONE}:
        return serial - _ZERO, at
    size = _size(serial)
    if (end := at + size) > len(raw):
        raise Unreadable("a value goes beyond its record")
    part = raw[at:end]
    if serial == 0:
        return None, end
    if serial == _FLOAT:
        return unpack_from(">d", part)[0], end
    if serial < _FLOAT:
        return int.from_bytes(part, "big", signed=True), end
    if serial % 2 == 0:
        return part, end
    try:
        return part.decode(), end
    except UnicodeDecodeError as err:
        raise Unreadable("a text is not UTF-8") from err


def _size(serial: int) -> int:
    if serial < _FLOAT:
        return _INTEGER_BYTES[serial]
    if serial == _FLOAT:
        return 8
    if serial < _FIRST_BLOB:
        raise Unreadable(f"no value has type {serial}")
    return (serial - (_FIRST_BLOB if serial % 2 == 0 else _FIRST_TEXT)) // 2
