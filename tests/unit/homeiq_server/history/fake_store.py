"""What each product does with the lines of a write: what it stores, and what it answers."""

import time
from collections.abc import Mapping
from datetime import timedelta

from aiohttp import web

from homeiq_server.errors import Rejected
from homeiq_server.history.line_protocol import INFLUX
from tests.unit.homeiq_server.history.spoken_answers import (
    Say,
    conflict,
    conflict_3,
    error_1,
    error_2,
    error_3,
    error_victoria,
    too_old_1,
    too_old_2,
)

_PER_SECOND: Mapping[str, int] = {"n": 10**9, "ns": 10**9, "u": 10**6, "us": 10**6, "ms": 10**3, "s": 1}
_SPEAKS_AS = {"influx1.6": "influx1", "cloud": "influx2", "plain": "influx2"}
_TYPES: Mapping[type, str] = {bool: "boolean", float: "float", int: "integer", str: "string"}


class FakeStore:
    """Takes lines in one dialect.

    Attributes:
        dialect: Whose rules hold.
        stored: Every line that it took, in order; what it takes twice stands twice.
        keeps: How old a line may be.
        hides_bad_lines: As VictoriaMetrics did before 1.105.
    """

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.stored: list[bytes] = []
        self.keeps: timedelta | None = None
        self.hides_bad_lines = False
        self._types: dict[tuple[str, str], str] = {}

    def pin(self, measurement: str, name: str, type_name: str) -> None:
        """Give a field its type, as the first point of it does."""
        self._types[measurement, name] = type_name

    def take(self, lines: list[bytes], precision: str) -> web.Response:
        """Store what the product would store, and answer what it would answer."""
        old = set(self._too_old(lines, precision))
        match _SPEAKS_AS.get(self.dialect, self.dialect):
            case "influx1":
                return self._write_influx1(lines, old)
            case "influx2":
                return self._write_influx2(lines, old)
            case "influx3":
                return self._write_influx3(lines)
            case _:
                return self._write_victoria(lines, old)

    def _too_old(self, lines: list[bytes], precision: str) -> list[bytes]:
        if self.keeps is None:
            return []
        oldest = (time.time() - self.keeps.total_seconds()) * _PER_SECOND[precision]
        return [line for line in lines if (at := _time(line)) is not None and at < oldest]

    def _write_influx1(self, lines: list[bytes], old: set[bytes]) -> web.Response:
        """What can be read is stored, in spite of the rest."""
        bad = [line for line in lines if _fields(line) is None]
        good = [line for line in lines if _fields(line) is not None]
        conflicts = self._conflicts(good)
        self.stored += [line for line in good if line not in conflicts and line not in old]
        if conflicts:
            return fault(400, error_1(f"partial write: {next(iter(conflicts.values()))} dropped={len(conflicts)}"))
        if old:
            return fault(400, error_1(too_old_1(sum(line in old for line in lines))))
        if bad:
            return fault(400, error_1(f"partial write: {_unparsable(bad)} dropped=0"))
        return web.Response(status=204)

    def _write_influx2(self, lines: list[bytes], old: set[bytes]) -> web.Response:
        """One line that cannot be read costs all; a type conflict costs itself."""
        if bad := [line for line in lines if _fields(line) is None]:
            return fault(400, error_2("invalid", _unparsable(bad)))
        conflicts = self._conflicts(lines)
        self.stored += [line for line in lines if line not in conflicts and line not in old]
        why = f"partial write: {next(iter(conflicts.values()))} dropped={len(conflicts)}" if conflicts else None
        if why is None and old:
            why = too_old_2(sum(line in old for line in lines))
        if why:
            return fault(422, error_2("unprocessable entity", f"failure writing points to database: {why}"))
        return web.Response(status=204)

    def _write_influx3(self, lines: list[bytes]) -> web.Response:
        """The v2 endpoint stops at the first bad line and stores nothing."""
        conflicts = self._conflicts(lines, conflict_3)
        for number, line in enumerate(lines, start=1):
            if _fields(line) is None or line in conflicts:
                shown = line.decode(errors="replace")[:20] + "..."
                why = conflicts.get(line, "no fields")
                where = {"original_line": shown, "line_number": number, "error_message": why}
                return fault(400, error_3("parsing failed for write_lp endpoint", where))
        self.stored += lines
        return web.Response(status=204)

    def _write_victoria(self, lines: list[bytes], old: set[bytes]) -> web.Response:
        """Stops at the first bad line and stores nothing; before 1.105 it skipped bad lines silently."""
        for index, line in enumerate(lines):
            if _fields(line) is None and not self.hides_bad_lines:
                why = error_victoria(b"\n".join(lines[index:]), 'missing field value for "f"')
                return web.Response(status=400, text=why)
        self.stored += [line for line in lines if _fields(line) is not None and line not in old]
        return web.Response(status=204)

    def _conflicts(self, lines: list[bytes], say: Say = conflict) -> dict[bytes, str]:
        conflicts: dict[bytes, str] = {}
        for line in lines:
            for (measurement, name), type_name in (_fields(line) or {}).items():
                known = self._types.setdefault((measurement, name), type_name)
                if known != type_name:
                    conflicts[line] = say(measurement, name, got=type_name, known=known)
        return conflicts


def _fields(line: bytes) -> dict[tuple[str, str], str] | None:
    """Return the type of each field by measurement and name; None when this is not a line."""
    try:
        parsed = INFLUX.parse(line.decode())
    except Rejected, UnicodeDecodeError:
        return None
    return {(parsed.measurement, name): _TYPES[type(value)] for name, value in parsed.fields.items()}


def _time(line: bytes) -> int | None:
    try:
        return INFLUX.parse(line.decode()).time
    except Rejected, UnicodeDecodeError:
        return None


def _unparsable(lines: list[bytes]) -> str:
    return "\n".join(f"unable to parse '{line.decode(errors='replace')}': missing fields" for line in lines)


def fault(status: int, body: str) -> web.Response:
    return web.Response(status=status, text=body, content_type="application/json")
