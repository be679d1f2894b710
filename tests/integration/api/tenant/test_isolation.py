"""No tenant sees or changes anything of another one, and nobody does what his token does not allow.

Asked is every operation that is served: one that is new fails here until somebody says how it is to be asked.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from homeiq_server.api.tenant.operation import AnyOperation
from tests.integration.api.tenant import everything_rows
from tests.integration.api.tenant.everything_asked import Asked, about, is_of_operator, key_of, known, offered
from tests.integration.api.tenant.everything_rows import Rows
from tests.integration.api.tenant.everything_served import APP, Answer, Served, served
from tests.postgres import Cluster

pytestmark = pytest.mark.asyncio(loop_scope="module")

_OPERATIONS: Final = offered()
_EVERY: Final = pytest.mark.parametrize("operation", _OPERATIONS, ids=key_of)
_SCOPED: Final = pytest.mark.parametrize("operation", [each for each in _OPERATIONS if each.scope], ids=key_of)
_OF_TENANTS: Final = pytest.mark.parametrize(
    "operation", [each for each in _OPERATIONS if not is_of_operator(each)], ids=key_of
)
_MINE: Final = "acme"
_THEIRS: Final = "globex"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """All routes, on one database."""
    folder: Path = tmp_path_factory.mktemp("spool")
    async with cluster.database() as database, served(database, folder) as asking:
        yield asking


@pytest_asyncio.fixture(loop_scope="module")
async def mine(api: Served) -> Rows:
    """A tenant with a row of everything."""
    return await everything_rows.put(api.owner, _MINE)


@pytest_asyncio.fixture(loop_scope="module")
async def theirs(api: Served) -> Rows:
    """Another one."""
    return await everything_rows.put(api.owner, _THEIRS)


async def _ask(api: Served, operation: AnyOperation, asked: Asked, token: str | None) -> Answer:
    return await api.ask(
        operation.method,
        operation.path.format(**asked.parts),
        token=token,
        body=asked.body,
        params=asked.query,
        headers=asked.headers,
    )


async def test_every_operation_is_asked_here() -> None:
    assert {key_of(each) for each in _OPERATIONS} == known()


async def test_a_tenant_has_a_row_in_every_table_of_tenants(api: Served, mine: Rows) -> None:
    tables = await everything_rows.dump(api.owner, mine.tenant_id)
    filled = {table for table, found in tables.items() if found}
    assert filled == {*everything_rows.TABLES, "tenants"}


@_EVERY
async def test_who_asks_for_what_is_anothers_learns_and_changes_nothing(
    api: Served, operation: AnyOperation, mine: Rows, theirs: Rows
) -> None:
    asked = about(operation, theirs)
    before = await everything_rows.dump(api.owner, theirs.tenant_id)

    answer = await _ask(api, operation, asked, mine.token)

    assert answer.status == asked.stranger, answer.text
    assert theirs.secret not in answer.text + str(answer.headers)
    assert await everything_rows.dump(api.owner, theirs.tenant_id) == before


@_EVERY
async def test_who_asks_for_what_is_his_gets_it(api: Served, operation: AnyOperation, mine: Rows, theirs: Rows) -> None:
    asked = about(operation, theirs)
    before = await everything_rows.dump(api.owner, mine.tenant_id)

    answer = await _ask(api, operation, asked, APP if is_of_operator(operation) else theirs.token)

    assert 200 <= answer.status < 300, answer.text
    assert (theirs.secret in answer.text) == asked.shows
    assert is_of_operator(operation) or mine.secret not in answer.text
    assert await everything_rows.dump(api.owner, mine.tenant_id) == before


@_SCOPED
async def test_who_has_every_scope_but_the_one_that_it_takes_is_refused(
    api: Served, operation: AnyOperation, theirs: Rows
) -> None:
    assert operation.scope
    token = theirs.token if is_of_operator(operation) else theirs.lacking[operation.scope]
    before = await everything_rows.dump(api.owner, theirs.tenant_id)

    answer = await _ask(api, operation, about(operation, theirs), token)

    assert answer.status == 403, answer.text
    assert operation.scope.value in answer.text
    assert theirs.secret not in answer.text
    del before["api_tokens"]  # it was used, as is noted
    after = await everything_rows.dump(api.owner, theirs.tenant_id)
    assert {table: found for table, found in after.items() if table != "api_tokens"} == before


@_EVERY
@pytest.mark.parametrize("token", [None, "wrong", "hiq.globex." + "x" * 43])
async def test_who_shows_no_token_that_is_known_is_refused(
    api: Served, operation: AnyOperation, theirs: Rows, token: str | None
) -> None:
    answer = await _ask(api, operation, about(operation, theirs), token)
    assert answer.status == 401
    assert theirs.secret not in answer.text


@_OF_TENANTS
async def test_the_home_sees_nothing_of_its_tenants_but_as_their_operator(
    api: Served, operation: AnyOperation, theirs: Rows
) -> None:
    before = await everything_rows.dump(api.owner, theirs.tenant_id)
    asked = about(operation, theirs)
    answer = await _ask(api, operation, asked, APP)
    assert theirs.secret not in answer.text
    assert (answer.status == 404) == (asked.stranger == 404)
    assert await everything_rows.dump(api.owner, theirs.tenant_id) == before


async def test_the_idempotency_key_of_one_tenant_is_unknown_to_another(api: Served, mine: Rows, theirs: Rows) -> None:
    body = {"expected_term_end": mine.term_end.isoformat()}
    path = f"/tenant/v1/subscriptions/{mine.subscription_id}/renewals"
    answer = await api.ask("POST", path, token=mine.token, body=body, headers={"Idempotency-Key": "fresh"})
    assert answer.status == 200
    elsewhere = about(next(each for each in _OPERATIONS if each.idempotent), theirs)
    path = f"/tenant/v1/subscriptions/{theirs.subscription_id}/renewals"
    answer = await api.ask("POST", path, token=theirs.token, body=elsewhere.body, headers=elsewhere.headers)
    assert answer.status == 200
    assert "Idempotency-Replayed" not in answer.headers
    assert mine.secret not in answer.text


async def test_a_route_cannot_be_turned_to_anothers_integration(api: Served, mine: Rows, theirs: Rows) -> None:
    body = {"integration_id": str(theirs.integration_id)}
    answer = await api.ask("PATCH", f"/tenant/v1/routes/{mine.route_id}", token=mine.token, body=body)
    assert answer.status == 400


async def test_a_renewal_deactivates_no_device_of_another(api: Served, mine: Rows, theirs: Rows) -> None:
    before = await everything_rows.dump(api.owner, theirs.tenant_id)
    body = {
        "expected_term_end": mine.term_end.isoformat(),
        "devices_to_deactivate": [theirs.device_id],
    }
    path = f"/tenant/v1/subscriptions/{mine.subscription_id}/renewals"
    answer = await api.ask("POST", path, token=mine.token, body=body, headers={"Idempotency-Key": "other"})
    assert answer.status == 409
    assert theirs.secret not in answer.text
    assert await everything_rows.dump(api.owner, theirs.tenant_id) == before


async def test_a_device_of_one_tenant_sends_nothing_for_another(api: Served, mine: Rows, theirs: Rows) -> None:
    message = {"metrics": {"t": 1}}
    path = f"/ingest/v1/tenant/{theirs.tenant_id}/device/{theirs.device_id}/telemetry"
    refused = await api.ask("POST", path, token=mine.device_token, body=message)
    accepted = await api.ask("POST", path, token=theirs.device_token, body=message)
    assert (refused.status, accepted.status) == (401, 202)


async def test_no_token_of_the_api_opens_the_way_of_devices(api: Served, theirs: Rows) -> None:
    path = f"/ingest/v1/tenant/{theirs.tenant_id}/device/{theirs.device_id}/telemetry"
    for token in (APP, theirs.token):
        assert (await api.ask("POST", path, token=token, body={"metrics": {"t": 1}})).status == 401
