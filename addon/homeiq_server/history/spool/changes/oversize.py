"""Lines that are longer than any database takes never enter the queue."""

from typing import Final, NamedTuple

from homeiq_server.history.spool.rows import DeadLetter
from homeiq_server.model import Lines

MAX_LINE_BYTES: Final = 256 * 1024
"""VictoriaMetrics' ``-influx.maxLineSize``, by default; one such line would cost its whole request."""

INTAKE: Final = "intake"  # stands where else the name of a database does


class Parted(NamedTuple):
    """Lines that can be sent, and those that never can."""

    lines: Lines
    letters: list[DeadLetter]


def part(lines: Lines) -> Parted:
    """Part the lines that are too long from the rest."""
    if not has_long_line(lines.body):
        return Parted(lines, [])
    fit: list[bytes] = []
    letters: list[DeadLetter] = []
    for line in lines.body.split(b"\n"):
        if len(line) > MAX_LINE_BYTES:
            letters.append(_letter(line))
        else:
            fit.append(line)
    return Parted(Lines(b"\n".join(fit), len(fit), lines.precision), letters)


def has_long_line(body: bytes) -> bool:
    """Tell whether a line is too long; looks at few bytes of a body that has none."""
    start = 0
    while len(body) - start > MAX_LINE_BYTES:
        start = body.rfind(b"\n", start, start + MAX_LINE_BYTES + 1) + 1
        if not start:
            return True
    return False


def _letter(line: bytes) -> DeadLetter:
    reason = f"the line has {len(line)} bytes, and databases take {MAX_LINE_BYTES} at the most"
    return DeadLetter(line=line, count=1, code=None, reason=reason, target=INTAKE)
