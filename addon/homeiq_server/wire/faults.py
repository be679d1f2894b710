"""What is wrong with a request, by the name of the field that is at fault."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from homeiq_server.errors import Rejected

# RecursionError: the decoder walks nested values on the C stack, and stops before the stack does.
FAULTS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for what somebody sent."""

_AT_END: Final = re.compile(r" - at `(?P<path>[^`]*)`$")
_PLACE: Final = re.compile(r"\$\[(?P<place>\d)\]")


def read_body[Body: msgspec.Struct](shape: type[Body], body: bytes | bytearray) -> Body:
    """Return a small body in its shape.

    Raises:
        Rejected: It has another one; the text names the field.
    """
    try:
        return msgspec.json.decode(body, type=shape)
    except FAULTS as err:
        raise Rejected(of_body(err)) from err


def read_query[Query: msgspec.Struct](shape: type[Query], query: Mapping[str, str]) -> Query:
    """Return the parameters of an address in their shape.

    Raises:
        Rejected: They have another one; the text names the parameter.
    """
    try:
        return msgspec.convert(dict(query), shape, strict=False)
    except FAULTS as err:
        raise Rejected(of_body(err, whole="the query")) from err


def of_body(err: Exception, *, whole: str = "the body", within: str = "") -> str:
    """Name the part of the body that is at fault; ``within`` is the field that was decoded by itself."""
    match err:
        case msgspec.ValidationError():
            text, path = _split(err)
            field = (within + path.removeprefix("$")).removeprefix(".") or whole
            return f"{field}: {text}"
        case RecursionError():
            return f"{whole} is nested too deeply"
        case _:
            return f"{whole} is not JSON in UTF-8: {err}"


def of_item(err: Exception, item: type[msgspec.Struct], *, noun: str) -> str:
    """Name the field of an array-like item that is at fault."""
    match err:
        case msgspec.ValidationError():
            text, path = _split(err)
            if found := _PLACE.match(path):
                return f"{item.__struct_fields__[int(found['place'])]}: {text}"
            return f"{noun}: {text}"
        case _:
            return f"{noun}: not JSON in UTF-8: {err}"


def _split(err: Exception) -> tuple[str, str]:
    """Part msgspec's message into what is wrong and the path to it."""
    text = str(err)
    if found := _AT_END.search(text):
        return text[: found.start()], found["path"]
    return text, ""
