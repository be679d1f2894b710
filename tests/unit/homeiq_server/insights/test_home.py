from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.insights.home import Home
from homeiq_server.registry import Area, Device, Floor, Removed, Rows
from tests.unit.homeiq_server.insights.homes import config_entry, device, entity, home, temperature

GROUND = Floor(id="ground", name="Ground floor")
KITCHEN = Area(id="kitchen", name="Kitchen", floor_id="ground")
HALL = Area(id="hall", name="Hall", floor_id="ground")


def test_an_entity_is_found_by_its_present_entity_id() -> None:
    here = home(device(), temperature())
    renamed = here.changed(Rows(entities=(temperature("sensor.new", id="#sensor.temperature"),)), Removed())
    assert renamed.entity("sensor.temperature") is None
    found = renamed.entity("sensor.new")
    assert found is not None
    assert found.id == "#sensor.temperature"


def test_an_entity_is_in_its_own_area_else_in_its_device_s() -> None:
    here = home(KITCHEN, HALL, device(area_id="hall"), temperature(), temperature("sensor.own", area_id="kitchen"))
    assert here.area_of(here.entities["#sensor.temperature"]) == "hall"
    assert here.area_of(here.entities["#sensor.own"]) == "kitchen"
    assert here.area_of(entity("sensor.nowhere", None)) is None


def test_a_part_is_in_the_area_of_the_whole() -> None:
    here = home(KITCHEN, device("whole", area_id="kitchen"), device("part", parent_id="whole", area_id=None))
    assert here.area_of(temperature(device_id="part")) == "kitchen"


def test_peers_are_of_the_same_area_before_the_floor() -> None:
    here = home(
        GROUND,
        KITCHEN,
        HALL,
        *(device(f"d{n}", area_id="kitchen" if n < 3 else "hall") for n in range(5)),
        *(temperature(f"sensor.t{n}", f"d{n}") for n in range(5)),
    )
    assert list(here.peers("#sensor.t0")) == ["#sensor.t1", "#sensor.t2"]
    assert len(here.peers("#sensor.t3")) == 4  # one in the hall cannot tell which of the two is at fault
    alone = home(
        GROUND,
        KITCHEN,
        HALL,
        device("a", area_id="kitchen"),
        device("b", area_id="hall"),
        temperature("sensor.a", "a"),
        temperature("sensor.b", "b"),
    )
    assert list(alone.peers("#sensor.a")) == ["#sensor.b"]


def test_peers_measure_the_same_in_the_same_unit_by_other_devices() -> None:
    here = home(
        KITCHEN,
        *(device(each, area_id="kitchen") for each in "abc"),
        temperature("sensor.a", "a"),
        temperature("sensor.same_device", "a"),
        temperature("sensor.fahrenheit", "b", unit="°F"),
        temperature("sensor.of_the_chip", "b", entity_category="diagnostic"),
        temperature("sensor.disabled", "b", disabled_by="user"),
        entity("sensor.humidity", "b", device_class="humidity", state_class="measurement", unit="%"),
        temperature("sensor.c", "c"),
    )
    assert list(here.peers("#sensor.a")) == ["#sensor.c"]
    assert list(here.peers("#sensor.of_the_chip")) == []
    assert list(here.peers("unknown")) == []


def test_a_part_s_entities_belong_to_the_whole() -> None:
    here = home(
        device("whole"),
        device("part", parent_id="whole"),
        temperature("sensor.a", "whole"),
        temperature("sensor.b", "part"),
    )
    assert [each.entity_id for each in here.entities_of("whole")] == ["sensor.a", "sensor.b"]
    assert not here.entities_of("part")
    assert here.owner("part") == "whole"
    assert [each.id for each in here.wholes] == ["whole"]
    assert [each.id for each in here.parts("whole")] == ["part"]
    found = here.device_of(here.entities["#sensor.b"])
    assert found is not None
    assert found.id == "whole"


def test_parts_in_a_circle_are_nobody_s_endless_loop() -> None:
    here = home(device("a", parent_id="b"), device("b", parent_id="a"), device("c", parent_id="c"))
    assert here.owner("c") == "c"
    assert here.owner("a") == "b"


def test_disabled_entities_are_not_listed() -> None:
    here = home(device(), temperature(disabled_by="integration"), temperature("sensor.used"))
    assert [each.entity_id for each in here.entities_of("device")] == ["sensor.used"]


def test_devices_are_listed_by_config_entry_integration_and_hub() -> None:
    here = home(
        config_entry("one", domain="hue"),
        device("hub", config_entry_id="one", integration=None),
        device("lamp", config_entry_id="one", integration="hue", via_device_id="hub"),
        device("other", config_entry_id=None, integration=None),
    )
    assert [each.id for each in here.devices_of("one")] == ["hub", "lamp"]
    assert [each.id for each in here.devices_by("hue")] == ["hub", "lamp"]
    assert [each.id for each in here.children("hub")] == ["lamp"]
    assert here.integration_of(here.devices["other"]) is None


def test_a_diff_leaves_the_home_before_it_as_it_was() -> None:
    before = home(device("a"), device("b"))
    after = before.changed(Rows(devices=(device("a", name="New"), device("c"))), Removed(devices=("b", "unknown")))
    assert set(before.devices) == {"a", "b"}
    assert set(after.devices) == {"a", "c"}
    assert after.devices["a"].name == "New"


_ids = st.sampled_from("abcdef")
_devices = st.lists(
    st.builds(
        lambda id_, via, parent: device(id_, via_device_id=via, parent_id=parent),
        _ids,
        st.none() | _ids,
        st.none() | _ids,
    ),
    max_size=8,
    unique_by=lambda each: each.id,
)


@given(_devices, _devices, st.lists(_ids, max_size=3))
def test_a_home_after_diffs_is_the_home_of_the_result(
    first: list[Device], second: list[Device], removed: list[str]
) -> None:
    changed = Home.of(Rows(devices=tuple(first))).changed(Rows(devices=tuple(second)), Removed(devices=tuple(removed)))
    rows = {each.id: each for each in [*first, *second] if each.id not in removed}
    whole = Home.of(Rows(devices=tuple(rows.values())))
    assert dict(changed.devices) == dict(whole.devices)
    for id_ in "abcdef":
        assert changed.owner(id_) == whole.owner(id_)
        assert {each.id for each in changed.children(id_)} == {each.id for each in whole.children(id_)}
