"""The document tells of everything that is served, in the language of OpenAPI 3.1."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final
from unittest.mock import Mock

import jsonschema_rs
import pytest
import schemathesis
from aiohttp import web
from msgspec import json as wire

from homeiq_server.api.tenant import routes
from homeiq_server.api.tenant.caller import Scope
from homeiq_server.api.tenant.openapi import OF_ALL, document
from homeiq_server.api.tenant.operation import AnyOperation, NoBody
from homeiq_server.options.ingest import IngestOptions

type Json = dict[str, Any]

_SERVED: Final = routes.Served(
    store=Mock(), changes=Mock(), waking=Mock(), gate=Mock(), sender=Mock(), options=IngestOptions()
)
_OPERATIONS: Final = routes.operations(_SERVED)
_DOCUMENT: Final[Json] = json.loads(wire.encode(document(_OPERATIONS, version="1.2.3")))


def _described() -> Iterator[tuple[str, str, Json]]:
    for path, methods in _DOCUMENT["paths"].items():
        for method, described in methods.items():
            yield method, path, described


def _of(operation: AnyOperation) -> Json:
    found: Json = _DOCUMENT["paths"][operation.path][operation.method.lower()]
    return found


def _parameters(path: str, method: str) -> dict[str, Json]:
    return {each["name"]: each for each in _DOCUMENT["paths"][path][method]["parameters"]}


def _every_object(value: Any) -> Iterator[Json]:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _every_object(inner)


def _shape(name: str) -> Json:
    found: Json = _DOCUMENT["components"]["schemas"][name]
    return found


def test_it_is_a_document_of_openapi_3_1() -> None:
    schemathesis.openapi.from_dict(_DOCUMENT).validate()
    assert _DOCUMENT["openapi"] == "3.1.0"
    assert _DOCUMENT["info"]["version"] == "1.2.3"


def test_every_schema_is_one() -> None:
    for schema in _DOCUMENT["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


def test_what_is_no_document_is_found_out() -> None:
    broken = {**_DOCUMENT, "paths": {"/x": {"get": {"parameters": "none", "responses": {}}}}}
    with pytest.raises(Exception, match=r"parameters|none"):
        schemathesis.openapi.from_dict(broken).validate()


def test_it_tells_of_every_route_that_is_served_and_of_no_other() -> None:
    app = web.Application()
    routes.serve(app, _SERVED, Mock())
    routes.take_in(app, _SERVED)
    served = {
        (route.method.lower(), route.resource.canonical)
        for route in app.router.routes()
        if route.resource and route.method != "HEAD"
    }
    assert {(method, path) for method, path, _ in _described()} == served - {("get", routes.OPENAPI)}


def test_every_operation_has_a_name_of_its_own_that_a_program_can_use() -> None:
    names = [described["operationId"] for _, _, described in _described()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in names)


def test_every_reference_leads_to_a_shape_and_every_shape_is_referred_to() -> None:
    named = {each["$ref"].rpartition("/")[2] for each in _every_object(_DOCUMENT) if isinstance(each.get("$ref"), str)}
    assert named == set(_DOCUMENT["components"]["schemas"])


def test_shapes_have_names_that_people_can_read() -> None:
    assert all(re.fullmatch("[A-Z][A-Za-z0-9]*", name) for name in _DOCUMENT["components"]["schemas"])


@pytest.mark.parametrize("operation", _OPERATIONS, ids=lambda each: f"{each.method} {each.path}")
def test_an_operation_tells_all_that_it_asks_and_answers(operation: AnyOperation) -> None:
    described = _of(operation)
    answered = set(map(int, described["responses"]))
    assert {*OF_ALL, *operation.problems} <= answered
    assert operation.status in answered or (operation.answer is None and 204 in answered)
    assert ("requestBody" in described) == (operation.body is not NoBody)
    parameters = {(each["in"], each["name"]) for each in described["parameters"]}
    assert {name for place, name in parameters if place == "query"} == set(operation.query.__struct_encode_fields__)
    assert {name for place, name in parameters if place == "path"} == set(re.findall(r"\{(\w+)\}", operation.path))
    assert (("header", "If-Match") in parameters) == (operation.versioned and operation.method != "GET")
    assert (("header", "Idempotency-Key") in parameters) == operation.idempotent
    if operation.scope is Scope.OPERATOR:
        assert operation.path.startswith("/operator/v1/")
        assert "operator" in described["description"]
    elif operation.scope:
        assert operation.scope.value in described["description"]


@pytest.mark.parametrize("operation", _OPERATIONS, ids=lambda each: f"{each.method} {each.path}")
def test_an_operation_says_what_it_may_fail_with(operation: AnyOperation) -> None:
    if "{" in operation.path:
        assert 404 in operation.problems
    if operation.versioned:
        assert 412 in operation.problems
    if operation.idempotent:
        assert 422 in operation.problems


def test_the_operator_has_a_prefix_to_himself() -> None:
    assert {each.path.split("/")[1] for each in _OPERATIONS if each.scope is Scope.OPERATOR} == {"operator"}
    assert {each.path.split("/")[1] for each in _OPERATIONS if each.scope is not Scope.OPERATOR} == {"tenant"}


def test_no_parameter_of_an_address_can_be_null() -> None:
    for _, path, described in _described():
        for parameter in described.get("parameters", ()):
            inner = list(_every_object(parameter["schema"]))
            assert not any(each.get("type") == "null" or None in each.get("enum", ()) for each in inner), path
            assert "default" not in parameter["schema"] or parameter["schema"]["default"] is not None


def test_ids_in_addresses_are_numbers_uuids_or_names() -> None:
    assert _parameters("/tenant/v1/alerts/{id}", "get")["id"]["schema"]["type"] == "integer"
    assert _parameters("/tenant/v1/routes/{id}", "get")["id"]["schema"]["format"] == "uuid"
    assert "pattern" in _parameters("/tenant/v1/devices/{device_id}", "get")["device_id"]["schema"]
    assert "pattern" in _parameters("/operator/v1/tenants/{tenant}", "get")["tenant"]["schema"]


def test_words_of_the_docstrings_stand_at_the_fields_that_they_are_about() -> None:
    token = _shape("TokenMade")["properties"]
    assert token["token"]["description"] == "The token itself, shown here and never again."
    assert token["expires_at"]["description"] == "Null: never."  # said of the shape that it extends
    renewal = _shape("RenewalBody")["properties"]["term_days"]["description"]
    assert renewal.startswith("How long")
    assert renewal.endswith("is not given either.")  # its second line
    assert _shape("UsageAnswer")["properties"]["from"]["description"].startswith("Where it begins")
    assert not any("Attributes:" in str(each.get("description")) for each in _every_object(_DOCUMENT))


def test_times_are_told_from_other_texts() -> None:
    device = _shape("TenantDevice")["properties"]
    assert device["created_at"]["format"] == "date-time"
    assert {"type": "string", "format": "date-time"} in device["activated_at"]["anyOf"]
    assert {"type": "null"} in device["activated_at"]["anyOf"]
    assert "format" not in device["site_id"]


def test_waiting_and_versions_come_with_the_headers_that_tell_of_them() -> None:
    responses = _DOCUMENT["paths"]["/tenant/v1/routes/{id}"]["patch"]["responses"]
    assert responses["200"]["headers"]["ETag"]["required"]
    assert responses["429"]["headers"]["Retry-After"]["required"]
    assert responses["503"]["headers"]["Retry-After"]["required"]
    assert responses["401"]["headers"]["WWW-Authenticate"]["required"]


def test_devices_show_tokens_of_their_own_or_none() -> None:
    security = {
        path: described.get("security", [None]) for _, path, described in _described() if path.startswith("/ingest/")
    }
    assert security.pop("/ingest/v1/activate") == []
    assert security.pop("/ingest/v1/provision") == []
    assert len(security) == 2
    schemes = _DOCUMENT["components"]["securitySchemes"]
    for choices in security.values():
        assert {name for each in choices for name in each} == set(schemes) - {"token"}
    assert all("security" not in described for _, path, described in _described() if "/ingest/" not in path)
