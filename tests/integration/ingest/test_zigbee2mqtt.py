"""What Zigbee2MQTT publishes, into a real PostgreSQL."""

import json

from homeiq_server.ingest.zigbee2mqtt.network import Network
from homeiq_server.registry import Device, Rows
from homeiq_server.store import zigbee_devices
from homeiq_server.store.pool import Pool
from homeiq_server.store.registry import Registries

NOW_US = 1_795_348_800_000_000
IEEE = "0x00158d0001dc126a"
WINDOW = {"ieee_address": IEEE, "type": "EndDevice", "friendly_name": "kitchen/window", "power_source": "Battery"}
COORDINATOR = {"ieee_address": "0x00124b0000000001", "type": "Coordinator", "friendly_name": "Coordinator"}


class Insights:
    """Notes what the insights would be told."""

    def __init__(self) -> None:
        self.seen: list[tuple[tuple[str, str], int, int | None]] = []

    def sight(self, identifier: tuple[str, str], at_us: int, link_quality: int | None) -> None:
        self.seen.append((identifier, at_us, link_quality))


def network(pool: Pool, insights: Insights) -> Network:
    return Network(pool, "zigbee2mqtt", insights, now_us=lambda: NOW_US)


def publish(heard: Network, name: str, content: object, *, retained: bool = False) -> None:
    heard.take(f"zigbee2mqtt/{name}", json.dumps(content).encode(), retained)


async def rows(pool: Pool) -> list[dict[str, object]]:
    async with pool.tenant("home") as conn:
        found = await conn.fetch("SELECT * FROM zigbee_devices WHERE tenant_id = 'home' ORDER BY ieee")
        return [dict(row) for row in found]


async def test_what_the_bridge_tells_of_a_device_is_kept(pool: Pool) -> None:
    insights = Insights()
    heard = network(pool, insights)
    publish(heard, "bridge/devices", [COORDINATOR, WINDOW], retained=True)
    publish(heard, "kitchen/window/availability", {"state": "online"}, retained=True)
    publish(heard, "kitchen/window", {"contact": True, "linkquality": 87, "battery": 64})
    await heard.tell()

    (kept,) = await rows(pool)
    assert (kept["ieee"], kept["power_source"], kept["available"]) == (IEEE, "Battery", True)
    assert (kept["link_quality"], kept["battery_level"]) == (87, 64)
    assert insights.seen == [(("mqtt", f"zigbee2mqtt_{IEEE}"), NOW_US, 87)]


async def test_a_retained_message_is_no_sign_of_life(pool: Pool) -> None:
    insights = Insights()
    heard = network(pool, insights)
    publish(heard, "bridge/devices", [WINDOW])
    publish(heard, "kitchen/window", {"linkquality": 87}, retained=True)
    assert insights.seen == []


async def test_a_device_that_left_the_network_is_marked_and_one_that_comes_back_is_not(pool: Pool) -> None:
    heard = network(pool, Insights())
    publish(heard, "bridge/devices", [WINDOW])
    await heard.tell()
    publish(heard, "bridge/devices", [])
    await heard.tell()
    assert [row["removed_at"] is None for row in await rows(pool)] == [False]
    publish(heard, "bridge/devices", [WINDOW])
    await heard.tell()
    assert [row["removed_at"] is None for row in await rows(pool)] == [True]


async def test_a_restart_keeps_what_was_measured_and_a_gone_bridge_forgets_who_is_available(pool: Pool) -> None:
    before = network(pool, Insights())
    publish(before, "bridge/devices", [WINDOW])
    publish(before, "kitchen/window", {"linkquality": 87, "battery": 64})
    publish(before, "kitchen/window/availability", {"state": "online"})
    await before.tell()

    after = network(pool, Insights())
    publish(after, "bridge/devices", [WINDOW])
    publish(after, "bridge/state", {"state": "offline"})
    await after.tell()
    (kept,) = await rows(pool)
    assert (kept["link_quality"], kept["battery_level"], kept["available"]) == (87, 64, None)


async def test_the_facts_are_found_by_home_assistant_s_own_device(pool: Pool) -> None:
    heard = network(pool, Insights())
    publish(heard, "bridge/devices", [WINDOW])
    await heard.tell()
    device = Device(id="window", name="Window", identifiers=(("mqtt", f"zigbee2mqtt_{IEEE}"),))
    await Registries(pool, "home").snapshot("instance", 1, [Rows(devices=(device, Device(id="other", name="Other")))])

    async with pool.tenant("home") as conn:
        found = await zigbee_devices.of_device(conn, "home", "window")
        assert found is not None
        assert found["ieee"] == IEEE
        assert await zigbee_devices.of_device(conn, "home", "other") is None


async def test_odd_messages_and_strangers_change_nothing(pool: Pool) -> None:
    heard = network(pool, Insights())
    publish(heard, "bridge/devices", {"not": "a list"})
    publish(heard, "nobody", {"linkquality": 1})
    publish(heard, "bridge/info", {"version": "2"})
    heard.take("zigbee2mqtt/kitchen/window", b"\xff", retained=False)
    await heard.tell()
    assert await rows(pool) == []
