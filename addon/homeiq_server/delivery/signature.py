"""Signatures of webhooks, as https://www.standardwebhooks.com has them. Pure."""

import base64
import hmac
import secrets
from collections.abc import Iterable
from typing import Final

_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32


def new_secret() -> str:
    """Return 256 random bits, as libraries that check signatures take them."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signature(active: Iterable[str], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the header that proves who sent a body, and when: one signature for each active secret.

    Args:
        active: Secrets, the newest first.
        message_id: Of the message.
        timestamp: When it is sent, in seconds since the Unix epoch.
        body: As it is sent.
    """
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return " ".join(f"v1,{_mac(secret, signed)}" for secret in active)


def _mac(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
