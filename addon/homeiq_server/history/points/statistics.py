"""Points of Home Assistant's long-term statistics, the same for every database: they are numbers only."""

import math
from collections.abc import Sequence
from typing import Final

from homeiq_server.history.line_protocol import Dialect
from homeiq_server.model import Lines, Statistic

from .conversion import Conversion
from .state import NO_FINITE_VALUE

MEASUREMENT: Final = "homeiq_statistics"


def convert_statistics(rows: Sequence[Statistic], *, source: str, dialect: Dialect) -> Conversion:
    """Return one line for each row that has a finite number, at the beginning of its hour."""
    lines = [line for row in rows if (line := _line(row, source, dialect)) is not None]
    empty = len(rows) - len(lines)
    return Conversion(
        lines=Lines(body="\n".join(lines).encode(errors="replace"), count=len(lines)),
        converted=len(lines),
        skipped={NO_FINITE_VALUE: empty} if empty else {},
        rejected=[],
        last_us=max((row.start_us for row in rows), default=None),
    )


def _line(row: Statistic, source: str, dialect: Dialect) -> str | None:
    values = {"max": row.max, "mean": row.mean, "min": row.min, "state": row.state, "sum": row.sum}
    finite = {name: value for name, value in values.items() if value is not None and math.isfinite(value)}
    if not finite:
        return None
    tags = {"source": source, "statistic_id": row.statistic_id, "unit": row.unit or ""}
    return f"{MEASUREMENT}{dialect.tags(tags)} {dialect.fields(finite)[1:]} {row.start_us}"
