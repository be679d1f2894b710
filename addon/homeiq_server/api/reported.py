"""``POST /api/v1/reported``: what a Home Assistant tells every five minutes, of which no state change speaks."""

from typing import Annotated, Final, Protocol

from aiohttp import web
from msgspec import Meta, Struct

from homeiq_server.insights.finding import Report
from homeiq_server.wire import read_body
from homeiq_server.wire.batch import Name, TimeUs

from .answer import ok
from .body import body_of

PATH: Final = "/api/v1/reported"


class Listener(Protocol):
    """Who wants to know."""

    def hear(self, name: str, report: Report) -> None:
        """Take in what the Home Assistant ``name`` tells."""
        ...


LISTENER: Final[web.AppKey[Listener]] = web.AppKey("listener")


class _Reported(Struct, frozen=True, kw_only=True):
    """The body; unknown keys are left alone.

    Attributes:
        reported: By entity id, when it last reported.
        commands: Entity id, when it was asked to change, when it did.
    """

    source: Name
    stream: Name
    at_us: TimeUs
    reported: Annotated[dict[Name, TimeUs], Meta(max_length=50_000)] = {}
    commands: Annotated[tuple[tuple[Name, TimeUs, TimeUs | None], ...], Meta(max_length=1_000)] = ()


async def post_reported(request: web.Request) -> web.Response:
    """Answer 200 when it was taken in; it is not kept, the next one will tell as much."""
    async with body_of(request) as body:
        told = read_body(_Reported, body)
    report = Report(stream=told.stream, at_us=told.at_us, reported=told.reported, commands=told.commands)
    request.app[LISTENER].hear(told.source, report)
    return ok({})
