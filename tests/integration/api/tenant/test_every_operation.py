"""Whatever is sent, every operation answers as the document says: hypothesis makes the requests of the document itself.

``HOMEIQ_EXAMPLES=500`` makes so many for each operation, in place of a few.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest
import pytest_asyncio
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from msgspec import json as wire
from schemathesis.checks import CHECKS, load_all_checks

from homeiq_server.api import ingest
from homeiq_server.api.cursor import cursor_of
from homeiq_server.api.tenant.openapi import document
from homeiq_server.api.tenant.operation import AnyOperation
from tests.integration.api.tenant import everything_rows
from tests.integration.api.tenant.everything_asked import Asked, about, is_of_operator, key_of, offered
from tests.integration.api.tenant.everything_rows import Rows
from tests.integration.api.tenant.everything_served import APP, Served, served
from tests.postgres import Cluster

pytestmark = pytest.mark.asyncio(loop_scope="module")

_EXAMPLES: Final = int(os.environ.get("HOMEIQ_EXAMPLES", "6"))
_SETTINGS: Final = settings(
    max_examples=_EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
_OPERATIONS: Final = offered()
_DOCUMENT: Final = json.loads(wire.encode(document(_OPERATIONS, version="1")))
_SCHEMA: Final = schemathesis.openapi.from_dict(_DOCUMENT)
load_all_checks()
_CHECKS: Final = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    ]
)
_CHECKS_OF_A_WHOLE: Final = [*_CHECKS, *CHECKS.get_by_names(["negative_data_rejection"])]
_LONGEST_WAIT_S: Final = 30
_LONGEST_ADDRESS: Final = 8_000
"""Of a longer one no operation hears: HTTP itself ends there."""
_OF_TENANTS: Final = [each for each in _OPERATIONS if not is_of_operator(each)]


@dataclass(frozen=True)
class _Way:
    """How an operation is asked: where, with which token, and about which rows."""

    described: Any
    url: str
    token: str | None
    parts: Mapping[str, str]
    session: requests.Session

    def send(self, case: Any) -> requests.Response:  # noqa: ANN401 - schemathesis is not typed here
        """Ask, and hold the answer against the document."""
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        answer: requests.Response = case.call(base_url=self.url, session=self.session, headers=headers, timeout=20)
        in_parts = case.path == ingest.BATCH  # a message that is none is refused, and the batch is not
        case.validate_response(answer, checks=_CHECKS if in_parts else _CHECKS_OF_A_WHOLE)
        return answer

    def send_some(self, mode: schemathesis.GenerationMode) -> None:
        """Send what the document allows, or what it does not; of what it allows about half about rows that exist."""
        cases = self.described.as_strategy(generation_mode=mode)
        if self.parts and mode is schemathesis.GenerationMode.POSITIVE:
            cases |= self.described.as_strategy(generation_mode=mode, path_parameters=dict(self.parts))

        @_SETTINGS
        @given(cases)
        def explore(case: Any) -> None:  # noqa: ANN401 - the same
            assume(len(case.as_curl_command()) < _LONGEST_ADDRESS or case.method != "GET")
            self.send(_at_once(case))

        explore()


def _at_once(case: Any) -> Any:  # noqa: ANN401 - the same
    """Return the case without waiting for news."""
    wait_s: Any = (case.query or {}).get("wait_s")
    try:
        waits = 0 < float(wait_s) <= _LONGEST_WAIT_S
    except TypeError, ValueError:
        waits = False
    if waits:
        case.query["wait_s"] = 0
    return case


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """All routes, on one database."""
    async with cluster.database() as database, served(database, tmp_path_factory.mktemp("spool")) as asking:
        yield asking


async def _explore(way: Callable[[], Any], known: Callable[[_Way], Any]) -> None:
    """Ask what is known to be answered, then what the document allows, then what it does not."""
    fresh: _Way = await way()
    answer = await asyncio.to_thread(lambda: fresh.send(known(fresh)))
    assert 200 <= answer.status_code < 300, answer.text
    for mode in schemathesis.GenerationMode:
        if mode is schemathesis.GenerationMode.NEGATIVE and not _can_be_wrong(fresh.described):
            continue
        await asyncio.to_thread((await way()).send_some, mode)


def _can_be_wrong(described: Any) -> bool:  # noqa: ANN401 - the same
    return bool(described.body or described.query or described.path_parameters or described.headers)


def _described(method: str, path: str) -> Any:  # noqa: ANN401 - the same
    return _SCHEMA[path][method]


def _case(way: _Way, asked: Asked) -> Any:  # noqa: ANN401 - the same
    more: dict[str, Any] = {} if asked.body is None else {"body": asked.body, "media_type": "application/json"}
    return way.described.Case(
        path_parameters={name: str(part) for name, part in asked.parts.items()},
        query=dict(asked.query),
        headers=dict(asked.headers),
        **more,
    )


async def _asked_by(api: Served, operation: AnyOperation, session: requests.Session, tenant_id: str) -> None:
    rows: list[Rows] = []

    async def way() -> _Way:
        rows.append(await everything_rows.put(api.owner, "acme" if is_of_operator(operation) else tenant_id))
        token = APP if tenant_id == "home" else rows[-1].token
        parts = {name: str(part) for name, part in about(operation, rows[-1]).parts.items()}
        return _Way(_described(operation.method, operation.path), api.url, token, parts, session)

    await _explore(way, lambda fresh: _case(fresh, about(operation, rows[-1])))


@pytest.mark.parametrize("operation", _OPERATIONS, ids=key_of)
async def test_the_app_is_answered_as_the_document_says(api: Served, operation: AnyOperation) -> None:
    with requests.Session() as session:
        await _asked_by(api, operation, session, "home")


@pytest.mark.parametrize("operation", _OF_TENANTS, ids=key_of)
async def test_a_tenant_is_answered_as_the_document_says(api: Served, operation: AnyOperation) -> None:
    with requests.Session() as session:
        await _asked_by(api, operation, session, "acme")


def _sent(path: str, rows: Rows) -> Asked:
    """Return what a device sends there that is taken."""
    message = {"msg_type": "telemetry", "metrics": {"power": 1.5}}
    address = {"tenant_id": rows.tenant_id, "device_id": rows.device_id}
    match path:
        case ingest.SINGLE:
            return Asked(parts=address | {"msg_type": "telemetry"}, body=message)
        case ingest.BATCH:
            return Asked(body={"messages": [address | message]})
        case "/ingest/v1/activate":
            return Asked(body=address | {"activation_code": rows.activation_code})
        case _:
            key, own = rows.provisioning_key, rows.device_token
            return Asked(body=address | {"provisioning_key": key, "token": own})


@pytest.mark.parametrize("path", [path for path in _DOCUMENT["paths"] if path.startswith("/ingest/")])
async def test_a_device_is_answered_as_the_document_says(api: Served, path: str) -> None:
    rows: list[Rows] = []
    with requests.Session() as session:

        async def way() -> _Way:
            rows.append(await everything_rows.put(api.owner, "acme"))
            parts = {name: str(part) for name, part in _sent(path, rows[-1]).parts.items()}
            return _Way(_described("POST", path), api.url, rows[-1].device_token, parts, session)

        await _explore(way, lambda fresh: _case(fresh, _sent(path, rows[-1])))


_PAGED: Final = [each for each in _OPERATIONS if {"cursor", "after"} & set(each.query.__struct_encode_fields__)]
_UUID: Final = "00000000-0000-0000-0000-000000000000"
_TIMES: Final = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00", 0, -1, 2**63, 1e300)
_KEYS: Final[tuple[object, ...]] = (
    *([time, last] for time in _TIMES for last in (_UUID, 0, -1, 2**63, "\x00", "\U0001f600" * 255)),
    *(0, -1, 2**63, 2**64, "", "a", "\x00", "a" * 300, None, [], ["a"], ["\x00"], {}, True),
)


@pytest.mark.parametrize("operation", _PAGED, ids=key_of)
async def test_a_cursor_that_is_made_up_is_not_the_servers_fault(api: Served, operation: AnyOperation) -> None:
    rows = await everything_rows.put(api.owner, "acme")
    name = "after" if "after" in operation.query.__struct_encode_fields__ else "cursor"
    path = operation.path.format(**about(operation, rows).parts)
    for cursor in (*map(cursor_of, _KEYS), "", "A", "====", "%00", "é"):
        answer = await api.ask("GET", path, token=APP, params={name: cursor})
        assert answer.status in (200, 400, 404), (cursor, answer.text)
