"""What InfluxDB's clients ask at their start; all other queries are refused, with the place where to ask them.

Whatever database or bucket a client writes to, it is the one that HomeIQ writes to. So the one that is asked for is the
one that there is.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web
from msgspec import json

from homeiq_server import VERSION
from homeiq_server.errors import Rejected, TooLarge

from .forms import Handler
from .packed import body_of

_NAME: Final = "homeiq"
_VERSIONS: Final = {"X-Influxdb-Version": "1.8.10", "X-Influxdb-Build": "HomeIQ"}
_ID: Final = "0000000000000001"
_LONGEST_QUERY: Final = 64 * 1024

_SHOW_DATABASES: Final = re.compile(r"\s*show\s+databases\s*;?\s*", re.IGNORECASE)
_CREATE_DATABASE: Final = re.compile(r"\s*create\s+database\s[^;]*;?\s*", re.IGNORECASE)
_BUCKETS: Final = re.compile(r"\s*buckets\(\s*\)\s*(?:\|>.*)?", re.DOTALL)

_BUCKETS_CSV: Final = (
    "#datatype,string,long,string,string,string,string,long\r\n"
    "#group,false,false,false,false,true,false,false\r\n"
    "#default,_result,,,,,,\r\n"
    ",result,table,name,id,organizationID,retentionPolicy,retentionPeriod\r\n"
    f",,0,{_NAME},{_ID},{_ID},,0\r\n\r\n"
)


async def ping(_request: web.Request) -> web.Response:
    """Answer 204 to ``/ping``, which tells clients of version 1 that somebody is there."""
    return web.Response(status=204, headers=_VERSIONS)


async def health(_request: web.Request) -> web.Response:
    """Answer 200 to ``/health``, the same for clients of version 2; how HomeIQ itself is tells ``/api/v1/status``."""
    return _json(
        {
            "name": "influxdb",
            "message": "ready for queries and writes",
            "status": "pass",
            "checks": [],
            "version": f"v2.7.12-homeiq-{VERSION}",
            "commit": "",
        }
    )


def query_v1(elsewhere: str) -> Handler:
    """Return what answers ``/query``; ``elsewhere`` says where queries are answered."""

    async def answer(request: web.Request) -> web.Response:
        asked = await _parameters(request)
        statement = asked.get("q", "")
        if _SHOW_DATABASES.fullmatch(statement):
            name = asked.get("db") or _NAME
            series = {"name": "databases", "columns": ["name"], "values": [[name]]}
            return _json({"results": [{"statement_id": 0, "series": [series]}]})
        if _CREATE_DATABASE.fullmatch(statement):
            return _json({"results": [{"statement_id": 0}]})
        raise Rejected(f"HomeIQ takes lines for a database and is none: {elsewhere}")

    return answer


class _FluxQuery(msgspec.Struct):
    query: str = ""


def query_v2(elsewhere: str) -> Handler:
    """Return what answers ``POST /api/v2/query``."""

    async def answer(request: web.Request) -> web.Response:
        body = await _read(request)
        if request.content_type != "application/vnd.flux":
            try:
                body = json.decode(body, type=_FluxQuery).query.encode()
            except msgspec.MsgspecError as err:
                raise Rejected(f"the body is no query: {err}") from err
        if _BUCKETS.fullmatch(body.decode(errors="replace")):
            return web.Response(text=_BUCKETS_CSV, content_type="text/csv", charset="utf-8")
        raise Rejected(f"HomeIQ takes lines for a bucket and has none: {elsewhere}")

    return answer


async def buckets(request: web.Request) -> web.Response:
    """Answer ``GET /api/v2/buckets``."""
    bucket = {
        "id": _ID,
        "orgID": _ID,
        "type": "user",
        "name": request.query.get("name") or _NAME,
        "retentionRules": [],
        "labels": [],
    }
    return _json({"links": {"self": "/api/v2/buckets"}, "buckets": [bucket]})


async def _parameters(request: web.Request) -> Mapping[str, str]:
    """Return the query's parameters, those of a form too: Telegraf sends one."""
    asked = dict(request.query)
    if request.content_type == "application/x-www-form-urlencoded":
        asked |= parse_qsl((await _read(request)).decode(errors="replace"))
    return asked


async def _read(request: web.Request) -> bytes:
    async with body_of(request) as body:
        if len(body.content) > _LONGEST_QUERY:
            raise TooLarge("the query is too long")
        return bytes(body.content)


def _json(answer: Mapping[str, object]) -> web.Response:
    return web.Response(body=json.encode(answer), content_type="application/json", headers=_VERSIONS)
