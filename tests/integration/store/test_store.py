"""The way to the store: kept open for ever, whatever becomes of the database."""

import asyncio
import logging
import re
import signal
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from homeiq_server.errors import Misconfigured, RetryLater
from homeiq_server.store.migrate import shipped
from homeiq_server.store.store import Access, Store
from tests.integration.store.own_server import OWNER_PASSWORD, PASSWORD, QUICK, OwnServer, own_server
from tests.postgres import PROGRAMS, Database, as_owner

_DEADLINE_S = 20

pytestmark = pytest.mark.skipif(
    not (PROGRAMS / "postgres").exists(), reason="there is no PostgreSQL here: scripts/setup brings it"
)


@pytest.fixture(scope="module")
def template() -> Iterator[OwnServer]:
    """A server that is never started: making its data takes longer than copying them."""
    with own_server() as made:
        yield made


@pytest.fixture
def server(template: OwnServer) -> Iterator[OwnServer]:
    with own_server(like=template) as copied:
        yield copied


@asynccontextmanager
async def _running(store: Store) -> AsyncIterator[Store]:
    task = asyncio.create_task(store.run(), name="store")
    try:
        yield store
    finally:
        task.cancel()
        await asyncio.wait([task])


def _store(url: str, owner_url: str, tls: ssl.SSLContext | None = None) -> Store:
    return Store(Access(url=url, owner_url=owner_url, tls=tls), pace=QUICK)


async def _until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(_DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - a state has no event
            await asyncio.sleep(0.01)


async def _ready(store: Store) -> None:
    async with asyncio.timeout(_DEADLINE_S):
        await store.ready()


async def _tenants(store: Store) -> int:
    async with store.tenant("home") as connection:
        return int(await connection.fetchval("SELECT count(*) FROM tenants"))


async def test_it_brings_an_empty_database_up_to_date_and_tells_what_it_found(server: OwnServer) -> None:
    server.start()
    async with _running(_store(server.url, server.owner_url)) as store:
        await _ready(store)
        assert (store.state, store.error, store.schema_version) == ("ok", None, len(shipped()))
        assert re.fullmatch(r"\d+\.\d+", store.version or "")
        assert await _tenants(store) == 1
        async with store.worker() as connection:
            assert await connection.fetchval("SELECT current_user") == "homeiq_worker"
    with pytest.raises(RetryLater, match="the app is stopping"):
        await _tenants(store)


async def test_a_database_that_starts_late_is_waited_for(server: OwnServer) -> None:
    async with _running(_store(server.url, server.owner_url)) as store:
        assert store.state == "starting"
        with pytest.raises(RetryLater, match="it is starting"):
            await _tenants(store)
        await _until(lambda: store.state == "unreachable")
        with pytest.raises(RetryLater, match=re.escape(store.error or "")):
            await _tenants(store)
        server.start()
        await _ready(store)
        assert await _tenants(store) == 1


async def test_a_database_that_goes_away_unused_is_noticed_and_comes_back(
    server: OwnServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "homeiq_server.store.store")
    server.start()
    async with _running(_store(server.url, server.owner_url)) as store:
        await _ready(store)
        server.stop()
        await _until(lambda: store.state == "unreachable")
        server.start()
        await _ready(store)
        assert await _tenants(store) == 1
    told = [record.message for record in caplog.records]
    assert len(told) == 3
    assert told[1].startswith("the store is down, history goes on: the database does not answer")
    assert told[2].startswith("the store is back after")


async def test_who_is_let_down_by_the_database_is_told_to_retry(server: OwnServer) -> None:
    server.start()
    async with _running(_store(server.url, server.owner_url)) as store:

        async def be_let_down() -> None:
            async with store.tenant("home") as connection:
                server.stop()
                await connection.fetchval("SELECT 1")

        await _ready(store)
        with pytest.raises(RetryLater):
            await be_let_down()
        await _until(lambda: store.state == "unreachable")


async def test_lost_tables_are_noticed_and_made_again(database: Database) -> None:
    async with _running(_store(database.url, database.owner_url)) as store:
        await _ready(store)
        async with as_owner(database) as owner:
            await owner.execute("DROP SCHEMA homeiq CASCADE")
        await _until(lambda: store.state == "unreachable")
        assert store.error == "the database has lost its tables"
        await _ready(store)
        assert await _tenants(store) == 1


async def test_a_wrong_password_is_told_and_noticed_when_it_is_mended(
    server: OwnServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.start()
    wrong = server.url.replace(PASSWORD, "marker-of-another")
    async with _running(_store(wrong, server.owner_url)) as store:
        await _until(lambda: store.state == "misconfigured")
        assert store.error == 'the database refuses us: password authentication failed for user "homeiq"'
        server.sql("ALTER ROLE homeiq PASSWORD 'marker-of-another'")
        await _ready(store)
    assert "marker" not in caplog.text + repr(store) + repr(store._access)


async def test_a_role_that_owns_the_tables_is_misconfigured(server: OwnServer) -> None:
    server.start()
    async with _running(_store(server.owner_url, server.owner_url)) as store:
        await _until(lambda: store.state == "misconfigured")
        assert "owns the tables" in (store.error or "")
        assert OWNER_PASSWORD not in (store.error or "")


async def test_a_schema_of_a_newer_release_is_misconfigured(database: Database) -> None:
    async with as_owner(database) as owner:
        await owner.execute("INSERT INTO schema_version (version, name, sha256) VALUES (999, 'later', '')")
    async with _running(_store(database.url, database.owner_url)) as store:
        await _until(lambda: store.state == "misconfigured")
        assert "has version 999" in (store.error or "")
        assert "restore the backup" in (store.error or "")


async def test_what_will_never_start_is_misconfigured() -> None:
    async def refuse() -> None:
        raise Misconfigured("there are no programs")

    async with _running(Store(Access(url="", owner_url=""), started=refuse, pace=QUICK)) as store:
        await _until(lambda: store.state == "misconfigured")
        assert store.error == "there are no programs"


async def test_a_self_signed_certificate_is_refused_unless_it_is_named(server: OwnServer) -> None:
    certificate = await asyncio.to_thread(server.offer_tls)
    server.start()
    urls = server.on_port()
    async with _running(_store(*urls, tls=ssl.create_default_context())) as store:
        await _until(lambda: store.state == "misconfigured")
        assert store.error == "the database's certificate is not trusted: self-signed certificate"
    async with _running(_store(*urls, tls=ssl.create_default_context(cafile=certificate))) as store:
        await _ready(store)
        async with store.tenant("home") as connection:
            asked = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            assert await connection.fetchval(asked) is True


async def test_a_certificate_for_another_host_is_refused(server: OwnServer) -> None:
    certificate = await asyncio.to_thread(server.offer_tls)
    server.start()
    urls = server.on_port(host="127.0.0.1")
    async with _running(_store(*urls, tls=ssl.create_default_context(cafile=certificate))) as store:
        await _until(lambda: store.state == "misconfigured")
        assert "IP address mismatch" in (store.error or "")


async def test_a_server_without_tls_is_refused_where_it_is_demanded_and_taken_where_it_is_not(
    server: OwnServer,
) -> None:
    server.start()
    urls = server.on_port(host="127.0.0.1")
    url, owner_url = (url + "?sslmode=disable" for url in urls)
    async with _running(_store(url, owner_url, ssl.create_default_context())) as store:
        await _until(lambda: store.state == "misconfigured")
        assert store.error == "the database does not offer TLS"
    async with _running(_store(*urls)) as store:
        await _ready(store)


async def test_the_documented_statements_prepare_a_database(server: OwnServer) -> None:
    documentation = (Path(__file__).parents[3] / "addon" / "DOCS.md").read_text()
    match = re.search(r"```sql\n(.*?)```", documentation, re.DOTALL)
    assert match
    server.start()
    server.sql("DROP DATABASE homeiq", "DROP ROLE homeiq", "DROP ROLE homeiq_owner")
    server.sql(*(f"{statement};" for statement in match[1].split(";") if statement.strip()))
    url = server.url.replace(PASSWORD, "second-password")
    owner_url = server.owner_url.replace(OWNER_PASSWORD, "first-password")
    async with _running(_store(url, owner_url)) as store:
        await _ready(store)
        assert await _tenants(store) == 1


async def test_a_database_that_hangs_does_not_delay_the_stop(server: OwnServer) -> None:
    server.start()
    try:
        async with _running(_store(server.url, server.owner_url)) as store:
            await _ready(store)
            server.hold(signal.SIGSTOP)
            await asyncio.sleep(4 * QUICK.probe)  # a probe is under way
            began = time.monotonic()
        assert time.monotonic() - began < 3
    finally:
        server.hold(signal.SIGCONT)
