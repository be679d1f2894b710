"""The bearer token that the integration shows at every request."""

import hmac
import logging
import os
import secrets
from pathlib import Path
from typing import Final

_LOGGER = logging.getLogger(__name__)

_RANDOM_BYTES: Final = 32
_SHORTEST: Final = 32  # characters; a shorter file was damaged, or written by hand without enough care


class Token:
    """A secret that can be compared, and shown only on purpose."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text.encode()

    def matches(self, claim: str) -> bool:
        """Tell whether ``claim`` is the token, in the same time however much of it is right."""
        return hmac.compare_digest(self._text, claim.encode(errors="surrogateescape"))

    def reveal(self) -> str:
        """Return the text, for the discovery message to Home Assistant and nothing else."""
        return self._text.decode()


def load(data_dir: Path) -> Token:
    """Return the token kept in ``data_dir``, which is created at the first start.

    Raises:
        OSError: The folder cannot be read or written.
    """
    path = data_dir / "token"
    try:
        text = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return _create(path)
    except UnicodeDecodeError:
        text = ""
    if len(text) < _SHORTEST:
        _LOGGER.warning("The token file %s is damaged: made a new token, Home Assistant must be told of it", path)
        return _create(path)
    path.chmod(0o600)
    return Token(text)


def _create(path: Path) -> Token:
    """Write a new token beside ``path`` and move it there, so that a crash leaves a whole one or none."""
    text = secrets.token_urlsafe(_RANDOM_BYTES)
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    return Token(text)
