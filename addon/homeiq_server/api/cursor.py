"""Where the next page begins: the sort key of the last row that was shown, in a form that nobody need read."""

import base64
import binascii
from typing import Final

import msgspec

from homeiq_server.errors import Rejected

_FAULTS: Final = (binascii.Error, ValueError, msgspec.MsgspecError)


def cursor_of(key: object) -> str:
    """Return the cursor behind the row with this key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()


def read_cursor[Key](cursor: str | None, shape: type[Key]) -> Key | None:
    """Return the key within a cursor, None without one.

    Raises:
        Rejected: It is not one of ours.
    """
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=shape)
    except _FAULTS as err:
        raise Rejected("cursor: give next_cursor of the page before as it is, or none for the first page") from err
