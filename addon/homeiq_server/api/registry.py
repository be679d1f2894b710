"""``/api/v1/registry``: what Home Assistant's registries hold, as its integration tells it."""

from typing import Final

from aiohttp import web
from msgspec import Struct

from homeiq_server.intake.registry import RegistryIntake
from homeiq_server.intake.registry_parts import Packed
from homeiq_server.wire import read_query
from homeiq_server.wire.batch import Name

from .answer import ok
from .body import body_of

PATH: Final = "/api/v1/registry"
REGISTRIES: Final = web.AppKey("registries", RegistryIntake)


class _Asked(Struct, frozen=True, kw_only=True):
    source: Name


class _Known(Struct, frozen=True, kw_only=True):
    revision: int | None


async def get_registry(request: web.Request) -> web.Response:
    """Answer 200 with the revision of the source that is stored; null when nothing is."""
    asked = read_query(_Asked, request.query)
    return ok(_Known(revision=await request.app[REGISTRIES].revision(asked.source)))


async def post_registry(request: web.Request) -> web.Response:
    """Answer 200 once a part is kept, and once all is stored when it is the last; see ``wire/registry.py``.

    The body's memory is given back before that: a large home takes seconds, and events are not to wait for it.
    """
    async with body_of(request) as body:
        part = Packed.of(body)
    return ok(await request.app[REGISTRIES].accept(part))
