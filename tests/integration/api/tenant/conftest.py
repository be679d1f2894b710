"""The routes of tenants on a fresh database."""

from collections.abc import AsyncIterator

import pytest

from homeiq_server.store.pool import Pool
from tests.integration.api.tenant.tenants_served import TenantApi, served


@pytest.fixture
async def api(pool: Pool) -> AsyncIterator[TenantApi]:
    """What asks them."""
    async with served(pool) as asking:
        yield asking
