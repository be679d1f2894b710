r"""A body of line protocol as another client sends it: its lines, and what is wrong with the others. Pure.

``line_runs`` looks over as many lines as it can without an object for any of them; at the first that it does not know
it stops, and ``line_parts`` judges that one.

Lines are kept as they came, but for what InfluxDB itself overlooks (white space before and behind, comments, empty
lines), missing times, and a line break inside of a text: that becomes a space, because the queue keeps one line a line.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from homeiq_server.errors import Rejected

from .line_parts import WHITE_SPACE, end_of, read
from .line_runs import LOGICAL_LINE, MAX_NS, runs
from .precision import Precision

_STEP_BYTES: Final = 128 * 1024
_STEP_LINES: Final = 500  # that are taken apart one by one; either takes a few milliseconds
_SHORT_BYTES: Final = 16 * 1024
_LONGEST_LINE: Final = 1024 * 1024
_SHOWN_FAULTS: Final = 20
_SHOWN_BYTES: Final = 1_000


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that is none, its beginning if it is long, and why."""

    line: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Piece:
    r"""Good lines, some 128 KiB at most unless one of them is longer.

    Attributes:
        body: Separated by ``\n``, without one at the end; perhaps a part of the request's own memory.
        count: How many, at least one.
        now: The time of those that have none.
        missing: How a line ends that has none, None when all have one.
        last_us: The time of the last one; clients send in the order of time.
    """

    body: bytes | memoryview
    count: int
    now: int
    missing: bytes | None
    last_us: int

    def lines(self) -> bytes:
        """Return the body with all times."""
        if self.missing is None:
            return bytes(self.body)
        return (bytes(self.body) + b"\n").replace(self.missing, b" %d\n" % self.now)[:-1]


@dataclass(slots=True)
class _Range:
    """Neighbouring lines that need no change, but for their times when they have none."""

    start: int
    end: int
    count: int
    last: int | None


class Scan:
    """Reads one body, step by step, so that others get their turn in between.

    What is kept of it takes no memory of its own as long as the lines follow each other and need no change.

    Attributes:
        pieces: The good lines, in their order.
        reasons: How many lines were refused, by reason.
        faults: The first of these.
        copied_bytes: How much memory the pieces take beside the body.
    """

    def __init__(self, body: bytes | bytearray, precision: Precision, *, now_ns: int) -> None:
        """Read ``body``; lines without a time get ``now_ns``."""
        self.pieces: list[Piece] = []
        self.reasons: Counter[str] = Counter()
        self.faults: list[Fault] = []
        self.copied_bytes = 0
        self._body = body
        self._at = 0
        self._precision = precision
        self._now = now_ns // (precision.unit_ns * precision.factor) * precision.factor
        self._timed, self._untimed = runs(precision.unit_ns, precision.factor)
        self._range: _Range | None = None
        self._copies: list[bytes] = []  # of what stands before the range
        self._copied = 0
        self._copied_last = 0

    @property
    def good(self) -> int:
        """How many lines are good."""
        return sum(piece.count for piece in self.pieces)

    def steps(self) -> Iterator[None]:
        """Read all of it; yield every few milliseconds while there is more to read."""
        self._step()
        while self._at < len(self._body):
            yield
            self._step()

    def _step(self) -> None:
        read_apart = 0
        stop = self._line_break(min(self._at + _STEP_BYTES, len(self._body))) + 1
        while self._at < stop and read_apart < _STEP_LINES:
            if not self._run(self._timed, stop) and not self._run(self._untimed, stop):
                self._one()
                read_apart += 1
        self._close_range()
        self._gather()

    def _run(self, run: re.Pattern[bytes], stop: int) -> bool:
        """Read all lines that need no closer look; return whether there was one."""
        start, end = self._at, end_of(run, self._body, self._at, stop)
        if start == end:
            return False
        self._at = end
        end -= self._body[end - 1] == ord("\n")
        last = int(self._body[self._body.rfind(b" ", start, end) + 1 : end]) if run is self._timed else None
        self._extend(start, end, self._body.count(b"\n", start, end) + 1, last)
        return True

    def _one(self) -> None:
        """Read one line with care, or pass over what is none."""
        end = self._line_break(self._at)
        start = end_of(WHITE_SPACE, self._body, self._at, end)
        is_line = start < end and self._body[start] != ord("#")
        if is_line and (self._body.find(b'"', start, end) >= 0 or self._body[end - 1] == ord("\\")):
            end = end_of(LOGICAL_LINE, self._body, start)
        self._at = end + 1
        if not is_line:
            return
        line = bytes(memoryview(self._body)[start : min(end, start + _LONGEST_LINE)])
        if end - start > _LONGEST_LINE:
            self._refuse(line, "line too long")
        elif line := line.replace(b"\r\n", b" ").replace(b"\n", b" ").removesuffix(b"\r"):
            self._judge(line, start)

    def _judge(self, line: bytes, start: int) -> None:
        try:
            parts = read(line)
        except Rejected as err:
            self._refuse(line, str(err))
            return
        time = None if parts.time is None else parts.time * self._precision.factor
        if time is not None and not -MAX_NS <= time * self._precision.unit_ns <= MAX_NS:
            self._refuse(line, "time outside range")
            return
        written = b"%b %b" % (parts.head, parts.body) + (b"" if time is None else b" %d" % time)
        if self._body.startswith(written, start) and self._body[start + len(written) : start + len(written) + 1] in (
            b"\n",
            b"",
        ):
            self._extend(start, start + len(written), 1, time)
        else:
            self._close_range()
            self._copy(written, 1, time)

    def _extend(self, start: int, end: int, count: int, last: int | None) -> None:
        known = self._range
        if known is not None and known.end + 1 == start and (known.last is None) is (last is None):
            known.end, known.count, known.last = end, known.count + count, last
        else:
            self._close_range()
            self._range = _Range(start, end, count, last)

    def _close_range(self) -> None:
        """Make a piece of the range; a short one would not be worth it."""
        known, self._range = self._range, None
        if known is None:
            return
        body = memoryview(self._body)[known.start : known.end]
        if len(body) < _SHORT_BYTES:
            self._copy(bytes(body), known.count, known.last)
            return
        self._gather()
        missing, last = (b"\n", self._now) if known.last is None else (None, known.last)
        self.pieces.append(Piece(body, known.count, self._now, missing, self._us(last)))

    def _copy(self, body: bytes, count: int, last: int | None) -> None:
        """Keep a copy of lines; no line ends with a space, so a space at the end says that the time is missing."""
        self._copies.append(body if last is not None else body.replace(b"\n", b" \n") + b" ")
        self.copied_bytes += len(self._copies[-1]) + 1
        self._copied += count
        self._copied_last = self._now if last is None else last

    def _gather(self) -> None:
        """Make one piece of the copies."""
        if self._copies:
            last_us = self._us(self._copied_last)
            self.pieces.append(Piece(b"\n".join(self._copies), self._copied, self._now, b" \n", last_us))
            self._copies, self._copied = [], 0

    def _refuse(self, line: bytes, reason: str) -> None:
        self.reasons[reason] += 1
        if len(self.faults) < _SHOWN_FAULTS:
            self.faults.append(Fault(line[:_SHOWN_BYTES], reason))

    def _line_break(self, at: int) -> int:
        """Return where the next one is, or where the body ends."""
        end = self._body.find(b"\n", at)
        return len(self._body) if end < 0 else end

    def _us(self, time: int) -> int:
        return time * self._precision.unit_ns // 1_000
