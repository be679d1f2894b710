"""What a child process prints, passed on to the server's own log, bounded in line length and in lines a minute."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

type ParseLine = Callable[[bytes], tuple[int, str]]
"""Gives a printed line's level (of ``logging``) and its text."""

LONGEST_LINE: Final = 4096  # bytes; the rest of a line is cut off
_LINES_A_MINUTE: Final = 60  # from info upwards; debug costs nothing when it is off
_READ_BYTES: Final = 65536


class ChildLog:
    """Passes a child's lines on, and remembers the last that told of an error.

    Attributes:
        last_error: The text of the last line of level error or above, or None.
    """

    def __init__(self, logger: logging.Logger, parse: ParseLine) -> None:
        self.last_error: str | None = None
        self._logger = logger
        self._parse = parse
        self._minute = 0
        self._passed = 0
        self._left_out = 0

    async def forward(self, stream: asyncio.StreamReader | None) -> None:
        """Read ``stream`` to its end, so that the child never waits for a full pipe."""
        rest = b""
        while stream and (chunk := await stream.read(_READ_BYTES)):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._take(line)
            rest = rest[:LONGEST_LINE]
        self._take(rest)

    def _take(self, line: bytes) -> None:
        if not (line := line[:LONGEST_LINE].strip()):
            return
        level, text = self._parse(line)
        if level >= logging.ERROR:
            self.last_error = text
        if self._within_bound(level):
            self._logger.log(level, "%s", text)

    def _within_bound(self, level: int) -> bool:
        if level < logging.INFO:
            return True
        minute = int(asyncio.get_running_loop().time()) // 60
        if minute != self._minute:
            if self._left_out:
                self._logger.warning("%d more lines were left out", self._left_out)
            self._minute, self._passed, self._left_out = minute, 0, 0
        if self._passed >= _LINES_A_MINUTE:
            self._left_out += 1
            return False
        self._passed += 1
        return True
