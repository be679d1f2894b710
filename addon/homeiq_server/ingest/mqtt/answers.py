"""What a broker answers, in words of ours. Pure."""

from collections.abc import Sequence
from typing import Final

from homeiq_server.errors import HomeIQError, Misconfigured, RetryLater

LEAST_REFUSAL: Final = 128
"""Of the codes of MQTT 5."""

_CREDENTIALS: Final = frozenset({4, 5, 134, 135, 138, 140})
_CLIENT_ID: Final = frozenset({2, 133})
_VERSION: Final = frozenset({1, 132})
_TAKEN_OVER: Final = 142
_TOKENS: Final = frozenset({"token", "x-provision-token"})


class VersionRefused(RetryLater):
    """The broker says that it does not speak this version of MQTT."""


class NotAccepted(RetryLater):
    """The broker ended the connection, or said nothing, instead of accepting it; for whatever reason."""


def refusal_of(text: str) -> HomeIQError:
    """Return gmqtt's error of a refused connection, whose text is ``code 5 (words)``, as ours."""
    code = int(text.split()[1])
    if code in _VERSION:
        return VersionRefused(f"the broker refuses this version of MQTT ({text})")
    if code in _CREDENTIALS:
        return Misconfigured(f"the broker refuses the user or the password ({text})")
    if code in _CLIENT_ID:
        return Misconfigured(f"the broker refuses the client id ({text})")
    return RetryLater(f"the broker refuses the connection ({text})")


def end_of(packet: object) -> str:
    """Return why a connection ended; ``packet`` is the body of DISCONNECT, empty when there was none."""
    code = packet[0] if isinstance(packet, bytes) and packet else 0
    if code == _TAKEN_OVER:
        return "another program connected with our client id"
    return f"the broker ended the connection (code {code})" if code else "the connection was lost"


def token_of(properties: Sequence[tuple[str, str]]) -> str | None:
    """Return the token among the user properties of a message, if any."""
    for name, value in properties:
        if name.lower() in _TOKENS:
            return value
    return None
