"""A follower on a fresh database."""

import pytest

from homeiq_server.store.moments import moment
from homeiq_server.store.pool import Pool
from tests.integration.alerts.following import World
from tests.postgres import Database


@pytest.fixture
async def world(pool: Pool, database: Database) -> World:
    """A home that has been there for ever, without devices and rules."""
    fresh = World(pool, database)
    await fresh.run("UPDATE tenants SET updated_at = $1", moment(0))
    return fresh
