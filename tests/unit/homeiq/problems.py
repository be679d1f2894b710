"""Refusals as an app gives them."""

import json
from typing import Any

from aiohttp import web


def problem(status: int, detail: str, *, retry_after: str | None = None, **members: Any) -> web.Response:  # noqa: ANN401
    """Answer as RFC 9457 says."""
    return web.Response(
        status=status,
        body=json.dumps({"title": "problem", "status": status, "detail": detail, **members}).encode(),
        content_type="application/problem+json",
        headers={} if retry_after is None else {"Retry-After": retry_after},
    )
