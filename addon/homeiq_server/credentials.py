"""What devices and programs prove themselves with: made here, kept as a digest alone, compared in constant time."""

import hashlib
import hmac
import re
import secrets
from typing import Final, Literal

type Kind = Literal["device", "key"]

TENANT_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
DEVICE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
SITE_ID: Final = DEVICE_ID
"""What an id of a tenant, device or site is, as a whole: use ``fullmatch``."""

_RANDOM_BYTES: Final = 32
_PREFIXES: Final[dict[Kind, str]] = {"device": "hid_", "key": "hik_"}
_API_TOKEN: Final = re.compile(rf"hiq\.({TENANT_ID.pattern})\.[A-Za-z0-9_-]{{43}}")
# Read from a screen and typed into a device: no 0 and O, no 1, I and L.
_CODE_LETTERS: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_CODE_HEAD: Final = 4
_CODE_TAIL: Final = 5


def new_token(kind: Kind) -> str:
    """Return a fresh token of a device, or provisioning key of a tenant; 256 random bits."""
    return _PREFIXES[kind] + secrets.token_urlsafe(_RANDOM_BYTES)


def new_api_token(tenant_id: str) -> str:
    """Return a fresh token of a tenant's program, which names the tenant; 256 random bits."""
    return f"hiq.{tenant_id}.{secrets.token_urlsafe(_RANDOM_BYTES)}"


def new_activation_code() -> str:
    """Return a fresh code such as ``K7QM-3XWPD``: short, so that it may live for an hour and few attempts alone."""
    letters = [secrets.choice(_CODE_LETTERS) for _ in range(_CODE_HEAD + _CODE_TAIL)]
    return "".join(letters[:_CODE_HEAD]) + "-" + "".join(letters[_CODE_HEAD:])


def normal_code(typed: str) -> str:
    """Return an activation code as it was made, of one that a person may have typed in small letters or without -."""
    letters = typed.upper().replace("-", "").replace(" ", "")
    return letters[:_CODE_HEAD] + "-" + letters[_CODE_HEAD:]


def digest(text: str) -> bytes:
    """Return what is kept of a secret; enough for random ones, which no list of guesses holds."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def matches(text: str, stored: bytes | None) -> bool:
    """Tell whether ``text`` is the secret with this digest, in the same time however much of it is right."""
    return stored is not None and hmac.compare_digest(digest(text), stored)


def tenant_of(api_token: str) -> str | None:
    """Return the tenant that a token of ``new_api_token`` names; None when it is not of that form."""
    found = _API_TOKEN.fullmatch(api_token)
    return found and found[1]
