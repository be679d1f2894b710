"""What an option's value may be: validators for voluptuous, each of which says what is wrong in a few words.

No text repeats the value: it might be a secret, or an address with one in it.
"""

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlsplit

import voluptuous as vol

type Check[T] = Callable[[object], T]

_BUCKET: Final = re.compile(r"[^\"'`\\\x00-\x1f]{1,255}")
_RETENTION: Final = re.compile(r"[1-9][0-9]{0,4}[dwy]")
_URI: Final = re.compile(r"[^\x00-\x1f]{1,4096}")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_EMAIL: Final = re.compile(r"[^@\s<>]{1,64}@[^@\s<>]{1,255}")
_WORD: Final = re.compile(r"[^\x00-\x1f]{1,255}")


def text(value: object) -> str:
    """Accept a text of one line."""
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise vol.Invalid("this is not a text of one line")
    return value


def whole_number(low: int, high: int) -> Check[int]:
    """Accept a whole number from ``low`` to ``high``; a switch is no number."""

    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise vol.Invalid("this is not a whole number")
        if not low <= value <= high:
            raise vol.Invalid(f"{value} is out of range")
        return value

    return check


def switch(value: object) -> bool:
    """Accept a switch; YAML reads a bare ``on`` as true, so both spellings mean the same."""
    if value in (True, "on", "true"):
        return True
    if value in (False, "off", "false"):
        return False
    raise vol.Invalid("this is neither on nor off")


def one_of(*choices: str) -> Check[str]:
    """Accept one of ``choices``."""

    def check(value: object) -> str:
        if not isinstance(value, str) or value not in choices:
            raise vol.Invalid("this is none of the choices")
        return value

    return check


def list_of[T](check: Check[T]) -> Check[tuple[T, ...]]:
    """Accept a list whose items all pass ``check``; the place of one that does not is part of the fault."""
    schema = vol.Schema([check])

    def check_all(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise vol.Invalid("this is not a list")
        return tuple(schema(value))

    return check_all


def http_url(value: object) -> str:
    """Accept the base address of a server; credentials have options of their own, because addresses are shown."""
    parts = _split_url(value)
    if parts.username is not None or parts.password is not None:
        raise vol.Invalid("user and password do not belong into the address, which is shown in the status")
    if parts.query or parts.fragment:
        raise vol.Invalid("the address goes on after its path")
    return parts.geturl().rstrip("/")


def postgresql_url(value: object) -> str:
    """Accept the address of a PostgreSQL database with the role to log in as: a URI of libpq, hosts and parameters too.

    See https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS.
    """
    if not isinstance(value, str) or not _URI.fullmatch(value):
        raise vol.Invalid("this is not a text of one line")
    try:
        parts = urlsplit(value)
        parameters = parse_qs(parts.query, strict_parsing=True) if parts.query else {}
        login, at, hosts = parts.netloc.rpartition("@")
        ports = [urlsplit(f"//{host}").port for host in hosts.split(",")]
    except ValueError as err:
        raise vol.Invalid("this is not an address") from err
    if parts.scheme not in ("postgresql", "postgres"):
        raise vol.Invalid("this is not a postgresql:// address")
    if "@" in login or parts.fragment:
        raise vol.Invalid("of user and password, @ has to be written as %40, # as %23, : as %3A and / as %2F")
    if not at or not parts.username:
        raise vol.Invalid("there is no user in it")
    if not parts.path.removeprefix("/") or "/" in parts.path.removeprefix("/"):
        raise vol.Invalid("the database's name is not what follows the host")
    if 0 in ports or not (hosts or "host" in parameters):
        raise vol.Invalid("there is no host in it")
    return value


def origin(value: object) -> str:
    """Accept a web origin: scheme, host and port, no path. Not ``*``: an API with a token must not be open to all."""
    if value == "*":
        raise vol.Invalid("* would let every web page in: name the pages' origins one by one")
    parts = _split_url(value)
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        raise vol.Invalid("this is more than scheme, host and port")
    return parts.geturl()


def ip_address(value: object) -> str:
    """Accept an IPv4 or IPv6 address."""
    try:
        return str(ipaddress.ip_address(text(value)))
    except ValueError as err:
        raise vol.Invalid("this is not an IP address") from err


def bucket(value: object) -> str:
    """Accept a bucket or database name that can stand in a query without being quoted."""
    if not isinstance(value, str) or not _BUCKET.fullmatch(value):
        raise vol.Invalid("this has quotes, backslashes or line breaks in it")
    return value


def retention(value: object) -> str:
    """Accept how long to keep, in days, weeks or years."""
    if not isinstance(value, str) or not _RETENTION.fullmatch(value):
        raise vol.Invalid("this is not a length of time")
    return value


def tag(value: object) -> tuple[str, str]:
    """Accept ``name=value``."""
    name, sign, content = text(value).partition("=")
    if not (name and sign and content):
        raise vol.Invalid("this is not name=value")
    return name, content


def folder(value: object) -> Path:
    """Accept the path of a folder, which may not exist yet."""
    path = Path(text(value)).expanduser()
    if path.exists() and not path.is_dir():
        raise vol.Invalid("this is a file")
    return path


def existing_folder(value: object) -> Path:
    """Accept the path of a folder that is there."""
    path = Path(text(value)).expanduser()
    if not path.is_dir():
        raise vol.Invalid("there is no such folder")
    return path


def existing_file(value: object) -> Path:
    """Accept the path of a file that is there."""
    path = Path(text(value)).expanduser()
    if not path.is_file():
        raise vol.Invalid("there is no such file")
    return path


def _split_url(value: object) -> SplitResult:
    if not isinstance(value, str):
        raise vol.Invalid("this is not a text")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as err:
        raise vol.Invalid("this is not an address") from err
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise vol.Invalid("this is not an http:// or https:// address")
    return parts


def mqtt_url(value: object) -> str:
    """Accept the address of an MQTT broker without credentials."""
    try:
        parts = urlsplit(text(value))
        port = parts.port
    except ValueError as err:
        raise vol.Invalid("this is not an address") from err
    if (
        parts.scheme not in ("mqtt", "mqtts")
        or port == 0
        or not parts.hostname
        or parts.path not in ("", "/")
        or parts.query
    ):
        raise vol.Invalid("this is not an mqtt or mqtts address")
    if "@" in parts.netloc or parts.fragment:
        raise vol.Invalid("this has a user or a password in it: give mqtt_username and mqtt_password")
    return str(value).rstrip("/")


def word(value: object) -> str:
    """Accept letters, digits, hyphens and underscores."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise vol.Invalid("this has something else in it")
    return value


def topic(value: object) -> str:
    """Accept an MQTT topic without wildcards."""
    if set(whole := text(value)) & set("+#$") or whole.startswith("/") or whole.endswith("/"):
        raise vol.Invalid("this is not a topic, or has a wildcard in it")
    return whole


def network(value: object) -> str:
    """Accept an IP address or network."""
    try:
        return str(ipaddress.ip_network(text(value)))
    except ValueError as err:
        raise vol.Invalid("this is no IP address and no network") from err


def email(value: object) -> str:
    """Accept an email address, as far as it can be told."""
    if not _EMAIL.fullmatch(whole := text(value)):
        raise vol.Invalid("this is not an email address")
    return whole
