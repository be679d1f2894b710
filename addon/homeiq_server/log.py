"""Logging: one line an event, in ASCII, as logfmt (``key=value``), which people and programs read alike."""

import logging
from datetime import UTC, datetime
from typing import override


class Logfmt(logging.Formatter):
    """Puts a record on one line."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {
            "ts": when.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        return " ".join(f"{key}={_quoted(value)}" for key, value in fields.items())


def _quoted(text: str) -> str:
    """Return the text as it is when it is one word, else in quotes; both in ASCII and without line breaks."""
    if text and all(character.isalnum() or character in "-_.:/" for character in text) and text.isascii():
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    ascii_only = escaped.encode("ascii", "backslashreplace").decode()
    return '"' + "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if c != "\n" else "\\n" for c in ascii_only) + '"'


def start_logging(level: str) -> None:
    """Log to the standard error stream, from ``level`` on."""
    stream = logging.StreamHandler()
    stream.setFormatter(Logfmt())
    logging.basicConfig(level=level.upper(), handlers=[stream], force=True)
    # The database client and the event loop say at debug what they send, and that they wait.
    for chatty in ("asyncio", "urllib3", "aiohttp.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
