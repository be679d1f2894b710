"""How parts of the registries become snapshots."""

import asyncio
from typing import Any

import pytest

from homeiq_server.errors import Rejected, RetryLater, StaleRevision, TooLarge
from homeiq_server.intake import registry_parts
from homeiq_server.intake.registry import Applied, RegistryIntake
from homeiq_server.intake.registry_parts import MAX_SOURCES, PATIENCE_S, Packed, Unfinished
from homeiq_server.registry import Device, Removed, Rows
from tests.unit.homeiq_server.registry_builders import FakeRegistries, packed

type Told = tuple[str, Rows, Removed | None]


class Home:
    """An intake, the store behind it, and what it told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.store = FakeRegistries()
        self.told: list[Told] = []
        self.unfinished = Unfinished(now=lambda: self.now)
        self.intake = RegistryIntake(self.store, lambda *told: self.told.append(told), unfinished=self.unfinished)

    async def send(self, part: int = 0, *devices: str, last: bool = False, **more: Any) -> Applied:  # noqa: ANN401
        return await self.intake.accept(packed(part, *devices, last=last, **more))

    def stored(self, source: str = "home") -> set[str]:
        return set(self.store.devices.get(source, ()))


async def test_parts_are_applied_together_when_the_last_has_come() -> None:
    home = Home()
    assert await home.send(0, "a", "b") == Applied(revision=1, applied=False)
    assert await home.send(1, "c") == Applied(revision=1, applied=False)
    assert (home.stored(), home.told) == (set(), [])

    answer = await home.send(2, "d", last=True)

    assert (answer.revision, answer.applied, answer.changed["devices"]) == (1, True, 4)
    assert home.stored() == {"a", "b", "c", "d"}
    ((source, rows, removed),) = home.told
    assert (source, removed) == ("home", None)
    assert [device.id for device in rows.devices] == ["a", "b", "c", "d"]
    assert home.unfinished.kept_bytes == 0


async def test_a_small_home_is_one_part() -> None:
    home = Home()
    assert (await home.send(0, "a", last=True)).applied
    assert await home.intake.revision("home") == 1
    assert await home.intake.revision("other") is None


async def test_a_diff_is_applied_at_once_and_told_as_such() -> None:
    home = Home()
    await home.send(0, "a", "b", last=True)
    await home.send(0, "c", last=True, revision=2, base=1, removed={"devices": ["a"]})
    assert home.stored() == {"b", "c"}
    assert home.told[1:] == [("home", Rows(devices=(Device(id="c"),)), Removed(devices=("a",)))]
    await home.send(0, "d", last=True, revision=3, base=2)
    assert home.told[2][2] == Removed()


@pytest.mark.parametrize("part", [packed(1), packed(2), packed(3, last=True), packed(2, revision=2)])
async def test_a_part_out_of_turn_is_refused_with_what_is_stored(part: Packed) -> None:
    home = Home()
    home.store.revisions["home"] = 0
    if part.part > 1:
        await home.send(0, "a")
    with pytest.raises(StaleRevision, match="from part 0 on") as refused:
        await home.intake.accept(part)
    assert refused.value.revision == 0


async def test_a_new_part_0_discards_what_was_unfinished() -> None:
    home = Home()
    await home.send(0, "a")
    await home.send(0, "b", revision=2)
    with pytest.raises(StaleRevision):
        await home.send(1, "c", last=True)
    await home.send(1, "c", last=True, revision=2)
    assert home.stored() == {"b", "c"}


async def test_a_part_whose_answer_was_lost_may_be_sent_again() -> None:
    home = Home()
    for devices in (("a",), ("a",)):
        await home.send(0, *devices)
    await home.send(1, "b")
    await home.send(1, "b")
    await home.send(2, "c", last=True)
    assert [device.id for device in home.told[0][1].devices] == ["a", "b", "c"]


async def test_a_late_snapshot_is_refused_at_its_first_part() -> None:
    home = Home()
    await home.send(0, "a", last=True, revision=5)
    for revision in (4, 5):
        with pytest.raises(StaleRevision, match="5") as late:
            await home.send(0, "b", revision=revision)
        assert late.value.revision == 5
    assert home.unfinished.kept_bytes == 0


async def test_a_snapshot_that_a_diff_overtook_is_refused_at_its_last() -> None:
    home = Home()
    await home.send(0, "a", last=True)
    await home.send(0, "old", revision=10)
    await home.send(0, "newest", last=True, revision=20, base=1)
    with pytest.raises(StaleRevision) as late:
        await home.send(1, last=True, revision=10)
    assert late.value.revision == 20
    assert home.stored() == {"a", "newest"}
    assert home.unfinished.kept_bytes == 0


async def test_while_the_store_is_away_the_parts_before_are_kept() -> None:
    home = Home()
    await home.send(0, "a")
    home.store.busy = "before"
    with pytest.raises(RetryLater):
        await home.send(1, "b", last=True)
    assert home.told == []
    home.store.busy = None
    assert (await home.send(1, "b", last=True)).applied
    assert home.stored() == {"a", "b"}


async def test_what_was_stored_without_an_answer_is_told_when_it_is_sent_again() -> None:
    home = Home()
    await home.send(0, "a")
    home.store.busy = "after"
    with pytest.raises(RetryLater):
        await home.send(1, "b", last=True)
    with pytest.raises(StaleRevision) as stored:
        await home.send(1, "b", last=True)
    assert stored.value.revision == 1
    with pytest.raises(RetryLater):
        await home.send(0, "c", last=True, revision=2, base=1)
    with pytest.raises(StaleRevision):
        await home.send(0, "c", last=True, revision=2, base=1)
    assert [[device.id for device in rows.devices] for _, rows, _ in home.told] == [["a", "b"], ["c"]]
    assert home.unfinished.kept_bytes == 0


async def test_what_is_not_heard_of_for_long_is_dropped() -> None:
    home = Home()
    await home.send(0, "a")
    await home.send(0, "a", source="other")
    home.now = PATIENCE_S
    await home.send(1, "b")
    home.now = PATIENCE_S + 1
    with pytest.raises(StaleRevision):
        await home.send(1, "b", source="other")
    assert (await home.send(2, "c", last=True)).applied


async def test_of_too_many_sources_the_one_that_is_silent_the_longest_is_dropped() -> None:
    home = Home()
    for n in range(MAX_SOURCES):
        await home.send(0, "a", source=f"s{n}")
    await home.send(1, "b", source="s0")
    await home.send(0, "a", source="one more")
    with pytest.raises(StaleRevision):
        await home.send(1, "b", source="s1")
    for source in ("s0", "s2", "one more"):
        assert (await home.send(2 if source == "s0" else 1, "b", last=True, source=source)).applied


async def test_a_snapshot_over_a_limit_is_refused_and_nothing_of_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    home, size = Home(), packed(0, "a").sent_bytes
    monkeypatch.setattr(registry_parts, "MAX_BYTES", 2 * size)
    await home.send(0, "a")
    await home.send(1, "b")
    with pytest.raises(TooLarge, match=f"{3 * size} bytes"):
        await home.send(2, "c")
    assert home.unfinished.kept_bytes == 0


async def test_of_too_many_bytes_other_sources_are_dropped_first(monkeypatch: pytest.MonkeyPatch) -> None:
    home, size = Home(), len(packed(0, "a").body)
    monkeypatch.setattr(registry_parts, "MAX_KEPT_BYTES", 2 * size + 10)
    await home.send(0, "a", source="othr")
    await home.send(0, "a")
    await home.send(1, "b")
    with pytest.raises(StaleRevision):
        await home.send(1, "b", source="othr")
    with pytest.raises(TooLarge, match="compressed"):
        await home.send(2, "c")
    assert home.unfinished.kept_bytes == 0


async def test_snapshots_are_applied_one_after_the_other_and_told_in_that_order() -> None:
    home = Home()
    home.store.gate.clear()
    async with asyncio.TaskGroup() as tasks:
        for n in range(1, 5):
            tasks.create_task(home.send(0, f"d{n}", last=True, revision=n))
        await asyncio.sleep(0)
        home.store.gate.set()
    assert [rows.devices[0].id for _, rows, _ in home.told] == ["d1", "d2", "d3", "d4"]


async def test_of_too_many_at_once_the_last_is_sent_away() -> None:
    home = Home()
    home.store.gate.clear()
    waiting = [asyncio.create_task(home.send(0, "a", last=True, revision=n)) for n in range(1, 9)]
    await asyncio.sleep(0)
    with pytest.raises(RetryLater):
        await home.send(0, "a", last=True, revision=99)
    home.store.gate.set()
    await asyncio.gather(*waiting)
    assert (await home.send(0, "a", last=True, revision=99)).applied


def test_a_body_of_another_shape_is_refused_before_it_is_kept() -> None:
    with pytest.raises(Rejected, match="source"):
        packed(source="")
