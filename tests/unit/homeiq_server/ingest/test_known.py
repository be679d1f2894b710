"""What is remembered of tenants and devices, and for how long."""

import pytest

from homeiq_server.ingest.decide import STRANGER, Standing
from homeiq_server.ingest.known import HEARD_S, MISSING, NOTHING_S, UNHEARD_S, Known
from homeiq_server.store.changes import Change
from tests.unit.homeiq_server.ingest_builders import Changes, Clock, device, tenant

FULL = Standing(None, "NO_SUBSCRIPTION_CAPACITY")


class Memory:
    """A memory with everything that it depends on."""

    def __init__(self, most: int = 1_000) -> None:
        self.clock, self.changes = Clock(), Changes()
        self.known = Known(self.changes, most=most, clock=self.clock)

    def learn(self, tenant_id: str = "acme", *device_ids: str, standing: Standing | None = None) -> None:
        asking = self.known.begin(tenant_id)
        standings = {each: standing or Standing(device(each, tenant_id)) for each in device_ids}
        self.known.remember(asking, tenant(tenant_id), standings)
        self.known.end(asking)

    def knows(self, tenant_id: str, device_id: str) -> bool:
        return self.known.tenant(tenant_id) is not MISSING and self.known.standing(tenant_id, device_id) is not MISSING


@pytest.fixture
def memory() -> Memory:
    return Memory()


def test_what_was_loaded_is_known_and_nothing_else(memory: Memory) -> None:
    memory.learn("acme", "d1")
    assert memory.known.tenant("acme") == tenant()
    assert memory.known.standing("acme", "d1") == Standing(device())
    assert memory.known.standing("acme", "d2") is MISSING
    assert memory.known.tenant("other") is MISSING
    assert memory.known.standing("other", "d1") is MISSING


@pytest.mark.parametrize("table", ["subscriptions", "tenants"])
def test_a_change_of_a_tenant_forgets_him_with_his_devices_and_nobody_with_a_similar_name(
    memory: Memory, table: str
) -> None:
    for tenant_id in ("s1", "s10", "s"):
        memory.learn(tenant_id, "d1")
    memory.changes.heard(Change(table, "s1"))
    assert [memory.knows(tenant_id, "d1") for tenant_id in ("s1", "s10", "s")] == [False, True, True]
    memory.learn("s1")  # the tenant is known again, his device is not
    assert memory.known.tenant("s1") == tenant("s1")
    assert not memory.knows("s1", "d1")


def test_a_change_of_a_device_forgets_that_device_alone(memory: Memory) -> None:
    memory.learn("acme", "d1", "d10", "d")
    memory.learn("other", "d1")
    memory.changes.heard(Change("ingest_devices", "acme", "d1"))
    assert [memory.knows("acme", each) for each in ("d1", "d10", "d")] == [False, True, True]
    assert memory.knows("other", "d1")


def test_changes_of_other_tables_forget_nothing(memory: Memory) -> None:
    memory.learn("acme", "d1")
    for table in ("api_tokens", "alert_rules", "deliveries"):
        memory.changes.heard(Change(table, "acme"))
    assert memory.knows("acme", "d1")


def test_after_changes_that_may_have_been_missed_nothing_is_known(memory: Memory) -> None:
    memory.learn("acme", "d1")
    memory.changes.missed()
    assert not memory.knows("acme", "d1")
    assert len(memory.known) == 0


def test_a_minute_is_the_most_and_five_seconds_while_nothing_is_heard(memory: Memory) -> None:
    memory.learn("acme", "d1")
    memory.clock.now += HEARD_S - 1
    assert memory.knows("acme", "d1")
    memory.clock.now += 1
    assert not memory.knows("acme", "d1")
    memory.changes.is_listening = False
    memory.learn("acme", "d1")
    memory.clock.now += UNHEARD_S - 1
    assert memory.knows("acme", "d1")
    memory.clock.now += 1
    assert not memory.knows("acme", "d1")


@pytest.mark.parametrize("age_s", [UNHEARD_S, HEARD_S / 2, HEARD_S - UNHEARD_S])
def test_what_was_true_when_changes_were_heard_last_is_remembered_as_if_looked_for_then(
    memory: Memory, age_s: float
) -> None:
    memory.learn("acme", "d1")
    memory.clock.now += age_s
    assert memory.knows("acme", "d1")
    memory.changes.is_listening = False
    memory.clock.now += UNHEARD_S - 1
    assert memory.knows("acme", "d1")
    memory.clock.now += 1
    assert not memory.knows("acme", "d1")


def test_without_changes_nothing_is_remembered_for_longer_than_with_them(memory: Memory) -> None:
    memory.learn("acme", "d1")
    memory.clock.now += HEARD_S - 1
    assert memory.knows("acme", "d1")
    memory.changes.is_listening = False
    memory.clock.now += 1
    assert not memory.knows("acme", "d1")


def test_a_tenant_who_is_looked_at_again_keeps_his_devices_in_mind(memory: Memory) -> None:
    memory.learn("acme", "d1")
    memory.clock.now += HEARD_S / 2
    memory.learn("acme", "d2")
    memory.clock.now += HEARD_S / 2 - 1
    assert memory.knows("acme", "d1")
    assert memory.knows("acme", "d2")


@pytest.mark.parametrize("standing", [STRANGER, FULL])
def test_that_a_device_is_none_is_remembered_for_seconds(memory: Memory, standing: Standing) -> None:
    memory.learn("acme", "d1", standing=standing)
    assert memory.known.standing("acme", "d1") == standing
    memory.clock.now += NOTHING_S
    assert memory.known.standing("acme", "d1") is MISSING
    memory.learn("acme", "d1", standing=standing)
    memory.learn("acme", "d1")
    assert memory.known.standing("acme", "d1") == Standing(device())


def test_that_there_is_no_tenant_is_remembered_for_seconds(memory: Memory) -> None:
    asking = memory.known.begin("nobody")
    memory.known.remember(asking, None, {})
    memory.known.end(asking)
    assert memory.known.tenant("nobody") is None
    memory.clock.now += NOTHING_S
    assert memory.known.tenant("nobody") is MISSING


@pytest.mark.parametrize(
    ("change", "d1", "d2"),
    [
        (Change("ingest_devices", "acme", "d1"), False, True),
        (Change("subscriptions", "acme"), False, False),
        (Change("tenants", "acme"), False, False),
        (Change("tenants", "other"), True, True),
        (None, False, False),
    ],
)
def test_an_answer_that_was_overtaken_by_a_change_is_not_remembered(
    memory: Memory, change: Change | None, d1: object, d2: object
) -> None:
    asking = memory.known.begin("acme")
    if change:
        memory.changes.heard(change)
    else:
        memory.changes.missed()
    memory.known.remember(asking, tenant(), {"d1": Standing(device("d1")), "d2": Standing(device("d2"))})
    memory.known.end(asking)
    assert [memory.knows("acme", "d1"), memory.knows("acme", "d2")] == [d1, d2]
    assert (memory.known.tenant("acme") is MISSING) == (not d1 and not d2)
    memory.learn("acme", "d1", "d2")
    assert memory.knows("acme", "d1")


def test_a_registration_that_was_overtaken_by_a_change_is_not_remembered(memory: Memory) -> None:
    memory.learn("acme")
    asking = memory.known.begin("acme")
    memory.changes.heard(Change("ingest_devices", "acme", "d1"))
    memory.known.remember_devices(asking, {"d1": Standing(device("d1")), "d2": FULL})
    memory.known.end(asking)
    assert not memory.knows("acme", "d1")
    assert memory.known.standing("acme", "d2") == FULL


def test_of_too_many_devices_those_go_that_were_not_asked_for(memory: Memory) -> None:
    memory = Memory(most=10)
    memory.learn("acme", *(f"d{number}" for number in range(10)))
    assert memory.knows("acme", "d0")
    memory.learn("acme", "new")
    assert memory.knows("acme", "d0")
    assert not memory.knows("acme", "d1")
    assert len(memory.known) == 10


def test_strangers_push_out_no_device(memory: Memory) -> None:
    memory = Memory(most=10)
    memory.learn("acme", "d1")
    for number in range(100):
        memory.learn("acme", f"stranger{number}", standing=STRANGER)
    assert memory.knows("acme", "d1")
    assert memory.known.standing("acme", "stranger0") is MISSING
    assert memory.known.standing("acme", "stranger99") == STRANGER


def test_invented_tenants_push_out_no_tenant() -> None:
    memory = Memory(most=8)
    memory.learn("acme", "d1")
    for number in range(100):
        asking = memory.known.begin(f"invented{number}")
        memory.known.remember(asking, None)
        memory.known.end(asking)
    assert memory.knows("acme", "d1")
    assert memory.known.tenant("invented0") is MISSING
    assert memory.known.tenant("invented99") is None
    memory.changes.heard(Change("tenants", "invented99"))
    assert memory.known.tenant("invented99") is MISSING
