"""``POST /write`` of InfluxDB 1 and ``POST /api/v2/write`` of 2: lines, acknowledged once they are on disk.

Of a body with bad lines, version 1 stores the others and answers 400 ``partial write``; version 2 stores nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from aiohttp import web

from homeiq_server.errors import Rejected
from homeiq_server.history.line_scan import Fault
from homeiq_server.history.precision import PRECISIONS, Precision
from homeiq_server.intake import LineIntake

from .forms import Handler
from .packed import body_of

# By the names of the query parameter. Clients of version 1 spell microseconds in every way.
_VERSION_1: Final[Mapping[str, Precision]] = PRECISIONS | {
    "": PRECISIONS["ns"],
    "n": PRECISIONS["ns"],
    "u": PRECISIONS["us"],
    "µ": PRECISIONS["us"],
    "μ": PRECISIONS["us"],  # the Greek letter, which many keyboards give for the sign
}
_VERSION_2: Final[Mapping[str, Precision]] = {"": PRECISIONS["ns"]} | {
    name: PRECISIONS[name] for name in ("ns", "us", "ms", "s")
}


def write_v1(intake: LineIntake) -> Handler:
    """Return what answers ``POST /write``."""

    async def post(request: web.Request) -> web.Response:
        name = request.query.get("precision", "")
        if (precision := _VERSION_1.get(name)) is None:
            raise Rejected(f'invalid precision "{name[:20]}" (use n, u, ms, s, m or h)')
        intake.admit()
        async with body_of(request) as body:
            taken = await intake.accept(body.content, precision, partly=True, grow=body.grow)
        if taken.refused:
            text = _told(taken.faults, taken.refused)
            raise Rejected(f"partial write: {text} dropped=0" if taken.good else text)
        return web.Response(status=204)

    return post


def write_v2(intake: LineIntake) -> Handler:
    """Return what answers ``POST /api/v2/write``."""

    async def post(request: web.Request) -> web.Response:
        if (precision := _VERSION_2.get(request.query.get("precision", ""))) is None:
            raise Rejected("invalid precision; valid precision units are ns, us, ms, and s")
        intake.admit()
        async with body_of(request) as body:
            if not body.content:
                raise Rejected("writing requires points")
            taken = await intake.accept(body.content, precision, partly=False, grow=body.grow)
        if taken.refused:
            raise Rejected(_told(taken.faults, taken.refused))
        return web.Response(status=204)

    return post


def _told(faults: Sequence[Fault], refused: int) -> str:
    """Return what is wrong, as InfluxDB tells it; of many bad lines, the first ones."""
    lines = [f"unable to parse '{fault.line.decode(errors='replace')}': {fault.reason}" for fault in faults]
    if refused > len(faults):
        lines.append(f"and {refused - len(faults)} more lines")
    return "\n".join(lines)
