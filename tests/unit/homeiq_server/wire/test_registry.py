"""The body of a part of the registries."""

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.errors import Rejected
from homeiq_server.registry import Area, Device, Entity, Floor, Removed, Rows
from homeiq_server.wire.registry import RegistryPart, decode_registry


def part(**more: object) -> dict[str, Any]:
    return {"source": "home", "revision": 7, "part": 0, "last": True, "rows": {}} | more


def diff(**more: object) -> dict[str, Any]:
    return part(base=6) | more


def decoded(body: object) -> RegistryPart:
    return decode_registry(body if isinstance(body, bytes) else json.dumps(body).encode())


def test_a_snapshot_holds_rows_of_all_kinds() -> None:
    found = decoded(
        part(
            part=2,
            last=False,
            rows={
                "areas": [{"id": "a", "name": "Attic"}],
                "devices": [{"id": "d", "identifiers": [["zha", "1", "2"]], "labels": ["l"]}],
                "entities": [{"id": "e", "entity_id": "light.e", "capabilities": {"min": [0, {"x": None}]}}],
            },
        )
    )
    assert (found.source, found.revision, found.part, found.last, found.base) == ("home", 7, 2, False, None)
    assert found.rows == Rows(
        areas=(Area(id="a", name="Attic"),),
        devices=(Device(id="d", identifiers=(("zha", "1", "2"),), labels=("l",)),),
        entities=(Entity(id="e", entity_id="light.e", capabilities={"min": [0, {"x": None}]}),),
    )


def test_a_diff_has_a_base_and_what_is_gone() -> None:
    found = decoded(diff(removed={"devices": ["d"]}))
    assert (found.base, found.removed) == (6, Removed(devices=("d",)))
    assert decoded(diff()).removed is None


def test_what_a_newer_sender_knows_more_is_left_alone() -> None:
    device = {"id": "d", "colour": "red"}
    assert decoded(part(mood="good", rows={"devices": [device], "moods": [1]})).rows.devices == (Device(id="d"),)


def test_what_is_left_open_stays_none() -> None:
    (device,) = decoded(part(rows={"devices": [{"id": "d", "integration": None}]})).rows.devices
    assert device.integration is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (part(source=""), "source: "),
        (part(source="x" * 256), "source: "),
        (part(revision=-1), "revision: "),
        (part(revision="7"), "revision: Expected `int`"),
        (part(revision=2**63), "revision: "),
        (part(part=-1), "part: "),
        (part(part=64), "part: "),
        (part(last=1), "last: "),
        (part(base=True), "base: "),
        (part(rows=[]), "rows: "),
        (part(rows=None), "rows: "),
        (part(rows={"devices": [{"id": "d"}, {"id": ""}]}), "rows.devices[1].id: "),
        (part(rows={"devices": [{"id": "d", "name": 1}]}), "rows.devices[0].name: "),
        (part(rows={"devices": [{"id": "d", "name": "x" * 1_001}]}), "rows.devices[0].name: "),
        (part(rows={"devices": [{"id": "d", "identifiers": ["zha"]}]}), "rows.devices[0].identifiers[0]: "),
        (part(rows={"entities": [{"id": "e"}]}), "missing required field `entity_id`"),
        (part(rows={"entities": [entity := {"id": "e", "entity_id": "e", "capabilities": "{}"}]}), "capabilities: "),
        (part(rows={"entities": [entity | {"capabilities": None}]}), "capabilities: "),
        (part(rows={"entities": [{"id": "e", "entity_id": "e", "supported_features": 2**63}]}), "entities[0].supp"),
        (part(rows={"floors": [{"id": "f", "name": "F", "level": -(2**31) - 1}]}), "rows.floors[0].level: "),
        (diff(removed={"devices": [1]}), "removed.devices[0]: "),
        (part(removed={"devices": ["d"]}), "removed: "),
        (diff(part=1), "part: "),
        (diff(last=False), "part: "),
        ({"source": "home", "revision": 1, "last": True}, "missing required field `part`"),
        ([], "the body: "),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"rows": {"x": ' + b"[" * 100_000, "the body"),
    ],
)
def test_a_body_of_another_shape_is_refused_by_the_name_of_its_fault(body: object, words: str) -> None:
    with pytest.raises(Rejected, match=re.escape(words)):
        decoded(body)


def test_an_empty_list_of_what_is_gone_is_no_fault_of_a_snapshot() -> None:
    assert decoded(part(removed=None)).base is None
    assert decoded(part(removed={"devices": []})).base is None


@given(st.text(st.sampled_from(("\0", "\\", "u", "0", '"', "é", "a")), max_size=12))
def test_nul_characters_are_left_out_and_nothing_else(text: str) -> None:
    body = part(rows={"devices": [{"id": "d", "name": text}]})
    for encoded in (json.dumps(body).encode(), msgspec.json.encode(body)):
        (device,) = decoded(encoded).rows.devices
        assert device.name == text.replace("\0", "")


def test_a_floor_may_be_any_number_of_32_bits() -> None:
    floors = [{"id": str(level), "name": "", "level": level} for level in (-(2**31), 0, 2**31 - 1)]
    assert [floor.level for floor in decoded(part(rows={"floors": floors})).rows.floors] == [-(2**31), 0, 2**31 - 1]
    assert decoded(part(rows={"floors": [{"id": "f", "name": ""}]})).rows.floors == (Floor(id="f", name=""),)
