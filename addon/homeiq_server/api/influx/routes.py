"""Where InfluxDB's clients find what they look for; every route asks for the token itself, but the two first ones."""

from typing import Final

from aiohttp import web

from homeiq_server.intake import LineIntake
from homeiq_server.token import Token

from . import questions
from .forms import guarded
from .write import write_v1, write_v2

PATHS: Final = frozenset({"/ping", "/health", "/write", "/query", "/api/v2/write", "/api/v2/query", "/api/v2/buckets"})


def add_routes(router: web.UrlDispatcher, intake: LineIntake, token: Token, *, elsewhere: str) -> None:
    """Serve ``PATHS``; ``elsewhere`` says where queries are answered."""
    router.add_get("/ping", questions.ping)
    router.add_get("/health", questions.health)
    router.add_post("/write", guarded(write_v1(intake), version=1, token=token))
    router.add_post("/api/v2/write", guarded(write_v2(intake), version=2, token=token))
    query = guarded(questions.query_v1(elsewhere), version=1, token=token)
    router.add_get("/query", query)
    router.add_post("/query", query)
    router.add_post("/api/v2/query", guarded(questions.query_v2(elsewhere), version=2, token=token))
    router.add_get("/api/v2/buckets", guarded(questions.buckets, version=2, token=token))
