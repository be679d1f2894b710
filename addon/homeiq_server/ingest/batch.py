"""Takes a batch of messages apart. Pure.

A message that is no JSON costs itself and not the others, as ``NaN`` of one device in the batch of a gateway does. So
many messages are looked at as a batch may have, and no more, however many there are.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw, Struct, defstruct

from homeiq_server.errors import Rejected

_SHAPE: Final = (
    'send {"messages": [...]}, or one message on each line with the content type application/x-ndjson; each message'
    " is an object with tenant_id, device_id and msg_type"
)
_LINE: Final = re.compile(rb"\S[^\n]*")
_BEGIN: Final = re.compile(rb'\s*+\{\s*+"messages"\s*+:\s*+\[\s*+')
_END: Final = re.compile(rb"\s*+\]\s*+\}\s*+")
# A string without an end takes all the rest: looking for the next one within it would take the square of the time.
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[\]{},]', re.DOTALL)
_MOST_TOKENS: Final = 200_000  # a tenth of a second; 100 messages with 50 metrics each have 25,000


class Address(NamedTuple):
    """What a message of a batch says of itself.

    Attributes:
        topic: As if it had come by MQTT; None when it does not say whose it is.
        has_token: It shows a token of its own.
    """

    topic: str | None
    has_token: bool


class _Said(Struct, frozen=True):
    tenant_id: str
    device_id: str
    msg_type: str
    token: object = None
    provision_token: object = None


def messages_of(body: bytes, *, most: int, by_line: bool) -> list[bytes]:
    """Return the messages of a batch as they are; whether they are good is not looked at.

    Args:
        body: The whole batch.
        most: How many it may have.
        by_line: It has one on each line, instead of all in an object.

    Raises:
        Rejected: It is no batch, has no messages, or has too many.
    """
    if by_line:
        messages = [found[0].rstrip() for found in islice(_LINE.finditer(body), most + 1)]
    else:
        try:
            messages = _of_object(body, most)
        except msgspec.MsgspecError, RecursionError:
            messages = list(islice(_of_broken(body), most + 1))
    if not messages:
        raise Rejected(f"the batch has no messages: {_SHAPE}")
    if len(messages) > most:
        raise Rejected(f"the batch has more than {most} messages: send them in several batches")
    return messages


def address_of(message: bytes) -> Address:
    """Return what a message says of itself, as far as it can be read."""
    try:
        said = msgspec.json.decode(message, type=_Said)
    except msgspec.MsgspecError, UnicodeDecodeError, RecursionError:
        return _address_of_broken(message)
    return _address(said.tenant_id, said.device_id, said.msg_type, (said.token, said.provision_token))


def _address_of_broken(message: bytes) -> Address:
    """Read it as far as a less strict reader can, so that its refusal is told to whom it belongs to."""
    try:
        said = json.loads(message.decode(errors="replace"), strict=False)
    except ValueError, RecursionError:
        return Address(None, has_token=False)
    if not isinstance(said, dict):
        return Address(None, has_token=False)
    tokens = said.get("token"), said.get("provision_token")
    return _address(said.get("tenant_id"), said.get("device_id"), said.get("msg_type"), tokens)


def _address(tenant_id: Any, device_id: Any, msg_type: Any, tokens: tuple[object, object]) -> Address:  # noqa: ANN401 - any JSON value
    has_token = tokens != (None, None)
    if not (isinstance(tenant_id, str) and isinstance(device_id, str) and isinstance(msg_type, str)):
        return Address(None, has_token)
    return Address(f"tenant/{tenant_id}/device/{device_id}/{msg_type}", has_token)


@cache
def _decoder(most: int) -> msgspec.json.Decoder[Any]:
    """Return a decoder that makes no more objects than there may be messages, however many a sender puts in."""
    places = [(f"m{place}", Raw, Raw(b"")) for place in range(most)]
    messages = defstruct("_Messages", places, array_like=True, forbid_unknown_fields=True)
    return msgspec.json.Decoder(defstruct("_Batch", [("messages", messages)]))


def _of_object(body: bytes, most: int) -> list[bytes]:
    messages = _decoder(most).decode(body).messages
    found = (bytes(getattr(messages, name)) for name in messages.__struct_fields__)
    return [message for message in found if message]


def _of_broken(body: bytes) -> Iterator[bytes]:
    """Yield what stands between the commas, in an array of messages that is no JSON as a whole.

    Raises:
        Rejected: No brackets say where it begins and ends.
    """
    if (begin := _BEGIN.match(body)) is None:
        raise Rejected(_SHAPE)
    start, depth = begin.end(), 0
    for token in islice(_TOKEN.finditer(body, start), _MOST_TOKENS):
        match token[0]:
            case b"{" | b"[":
                depth += 1
            case b"}" | b"]" if depth:
                depth -= 1
            case b",":
                if not depth:
                    yield body[start : token.start()].strip()
                    start = token.end()
            case b"]":
                if _END.fullmatch(body, token.start()) is None:
                    break
                if message := body[start : token.start()].strip():
                    yield message
                return
            case _:
                pass
    raise Rejected(f"the batch is not JSON, and has no end: {_SHAPE}")
