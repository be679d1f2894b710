"""Payloads of strangers as they may be shown: without the tokens that are in them. Pure."""

import base64
import codecs
import re
from typing import Final, Literal, NamedTuple

type Encoding = Literal["utf-8", "base64"]

# Also in what is no JSON, which is why it is in the quarantine: no parser is asked.
_BY_NAME: Final = re.compile(rb'(token"?\s*+[:=]\s*+)(?:"(?:[^"\\]|\\.)*+"?|[^\s,}\]]++)', re.IGNORECASE | re.DOTALL)
# Under whatever name, in UTF-16 too.
_BY_FORM: Final = re.compile(rb"h\x00?i\x00?(?:[dk]\x00?_|q\x00?\.)\x00?(?:[A-Za-z0-9_.-]\x00?){8,}+")


class Shown(NamedTuple):
    """A payload as it is shown.

    Attributes:
        text: Itself, or its bytes in base64.
        encoding: Which of the two.
    """

    text: str
    encoding: Encoding


def shown_name(name: str) -> str:
    """Return a topic, or a part of one, with ``***`` for what looks like a token: somebody put it there by mistake."""
    return _BY_FORM.sub(b"***", name.encode()).decode()


def shown(payload: bytes, *, is_whole: bool) -> Shown:
    """Return a payload with ``***`` for what looks like a token; the last character of a part may be left out."""
    masked = _BY_FORM.sub(b"***", _BY_NAME.sub(rb'\1"***"', payload))
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(masked, final=is_whole)
    except UnicodeDecodeError:
        return Shown(base64.b64encode(masked).decode(), "base64")
    return Shown(text, "utf-8")
