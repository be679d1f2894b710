"""Values that many rows repeat are in memory once."""

import msgspec

from homeiq_server.registry import Device, Entity, Rows
from homeiq_server.wire.interning import Interning

ROWS = Rows(
    devices=(Device(id="d1", model="P1"), Device(id="d2", model="P1", via_device_id="d1")),
    entities=tuple(
        Entity(id=f"e{n}", entity_id=f"sensor.e{n}", device_id="d1", unit="lx", capabilities={"modes": ["a"]})
        for n in range(3)
    ),
)


def read() -> Rows:
    """Return rows that share nothing yet."""
    return msgspec.json.decode(msgspec.json.encode(ROWS), type=Rows)


def test_nothing_is_changed() -> None:
    assert Interning().rows(read()) == ROWS


def test_what_is_repeated_is_one_object_across_parts() -> None:
    interning = Interning()
    parts = [interning.rows(read()) for _ in range(2)]
    devices = [device for rows in parts for device in rows.devices]
    entities = [entity for rows in parts for entity in rows.entities]
    for same in (
        [device.model for device in devices],
        [entity.unit for entity in entities],
        [entity.capabilities for entity in entities],
        [entity.device_id for entity in entities] + [device.id for device in devices if device.id == "d1"],
        [device.via_device_id for device in devices if device.via_device_id],
    ):
        assert len(same) > 1
        assert all(each is same[0] for each in same)
