"""A client of the handlers on a fresh database."""

from collections.abc import Awaitable, Callable

import pytest

from homeiq_server.store.pool import Pool
from tests.integration.api.serving import Http, served


@pytest.fixture
async def http(aiohttp_client: Callable[..., Awaitable[Http]], pool: Pool) -> Http:
    """A client of a home without devices."""
    return await aiohttp_client(served(pool))
