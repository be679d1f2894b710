"""Requests that are answered once there is something new. No connection is held while one waits."""

import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from msgspec import Meta

from homeiq_server.alerts.waking import Waking

from .operation import Call

type WaitS = Annotated[float, Meta(ge=0, le=30)]

LOOK_S: Final = 2
"""What another server wrote is not told here, therefore it is looked for."""


async def until_news[Found](
    call: Call[Any, Any],
    look: Callable[[], Awaitable[Found]],
    waking: Waking,
    wait_s: float,
    is_news: Callable[[Found], bool],
) -> Found:
    """Return what a look finds as soon as it is news, and after ``wait_s`` what there is; at once when nobody waits.

    Raises:
        TooMany: Too many wait for this tenant already.
        RetryLater: The store is away.
    """
    found = await look()
    if is_news(found) or wait_s <= 0 or waking.is_closed:
        return found
    deadline = time.monotonic() + wait_s
    with waking.watch(call.tenant_id) as watch:
        found = await look()  # what came between the first look and the watch was told to nobody
        while not is_news(found) and (left := deadline - time.monotonic()) > 0 and not _in_vain(call, waking):
            await watch.wait(min(left, LOOK_S))
            found = await look()
    return found


def _in_vain(call: Call[Any, Any], waking: Waking) -> bool:
    """Tell whether the server stops, or nobody waits any more."""
    return waking.is_closed or call.is_gone()
