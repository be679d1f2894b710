"""The intake before a store that can refuse."""

import json
import logging

import pytest

from homeiq_server.errors import RetryLater
from homeiq_server.history.points import PointSettings, Schema, build_schema
from homeiq_server.intake import EventIntake, KnownLabels
from homeiq_server.model import Event, Intake, Labels, Receipt
from homeiq_server.wire import Batch, decode_backfill, decode_events
from tests.unit.homeiq_server.server_builders import batch, event

SCHEMA = build_schema(PointSettings(extra_tags=frozenset({"area"})), text_as_tag=False)


class FakeStore:
    """Keeps what it is given; refuses while it is full, forgets nothing."""

    def __init__(self) -> None:
        self.stored: list[Intake] = []
        self.is_full = False
        self.asked_for_labels = 0

    async def put(self, intake: Intake) -> Receipt:
        if self.is_full:
            raise RetryLater("it holds its limit", after=7)
        duplicate = intake.position in [one.position for one in self.stored]
        if not duplicate:
            self.stored.append(intake)
        return Receipt(duplicate=duplicate)

    async def labels(self, source: str) -> dict[str, Labels]:
        self.asked_for_labels += 1
        return {"sensor.power": Labels(area=f"Stored {source}")}


def _batch(*events: object, **more: object) -> Batch[Event]:
    return decode_events(json.dumps(batch(events, **more)).encode())


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def intake(store: FakeStore) -> EventIntake:
    return EventIntake(store, lambda: SCHEMA, KnownLabels(store))


async def test_what_was_sent_is_accepted_rejected_or_duplicate(intake: EventIntake, store: FakeStore) -> None:
    sent = _batch(event(1), event(2, entity_id="no_dot"), ["short"], event(3, state="unknown"))
    answer = await intake.accept(sent)
    again = await intake.accept(sent)

    assert (answer.accepted, answer.duplicates, [one.index for one in answer.rejected]) == (2, 0, [1, 2])
    assert (again.accepted, again.duplicates, again.rejected) == (0, 4, [])
    tally = store.stored[0].tally
    assert (tally.received, tally.converted, sum(tally.skipped.values()), sum(tally.rejected.values())) == (4, 1, 1, 2)


async def test_reasons_are_counted_without_what_they_are_about(intake: EventIntake, store: FakeStore) -> None:
    await intake.accept(_batch(*(event(n, entity_id=f"sensor.s{n}", state=n) for n in range(50))))
    assert dict(store.stored[0].tally.rejected) == {"state malformed": 50}


async def test_labels_are_read_once_and_then_kept_up_to_date(intake: EventIntake, store: FakeStore) -> None:
    await intake.accept(_batch(event(1)))
    await intake.accept(_batch(event(2), seq=2, entities={"sensor.power": {"area": "Hall"}}))
    await intake.accept(_batch(event(3), seq=3))

    areas = [b"Stored\\ home", b"Hall", b"Hall"]
    assert all(area in one.lines.body for area, one in zip(areas, store.stored, strict=True))
    assert store.asked_for_labels == 1


async def test_a_duplicate_does_not_bring_old_labels_back(intake: EventIntake, store: FakeStore) -> None:
    first = _batch(event(1), entities={"sensor.power": {"area": "Old"}})
    await intake.accept(first)
    await intake.accept(_batch(event(2), seq=2, entities={"sensor.power": {"area": "New"}}))
    await intake.accept(first)
    await intake.accept(_batch(event(3), seq=3))
    assert b"area=New" in store.stored[-1].lines.body


async def test_labels_of_many_sources_are_forgotten_and_read_again(intake: EventIntake, store: FakeStore) -> None:
    for n in [*range(40), 0]:
        await intake.accept(_batch(event(n), source=f"s{n}", seq=n + 1))
    assert store.asked_for_labels == 41


async def test_a_refusing_store_is_told_once_and_stays_in_the_status(
    intake: EventIntake, store: FakeStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    store.is_full = True
    for _ in range(3):
        with pytest.raises(RetryLater, match="limit"):
            await intake.accept(_batch(event(1)))
    assert list(intake.refusals()) == [("spool_refuses", "it holds its limit")]
    store.is_full = False
    await intake.accept(_batch(event(1)))

    assert list(intake.refusals()) == []
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_a_stopping_server_takes_nothing(intake: EventIntake, store: FakeStore) -> None:
    intake.stop()
    with pytest.raises(RetryLater, match="stopping"):
        await intake.accept(_batch(event(1)))
    assert [code for code, _ in intake.refusals()] == ["stopping"]
    assert store.stored == []


async def test_nothing_is_taken_while_nobody_knows_what_the_database_holds(store: FakeStore) -> None:
    def unknown() -> Schema:
        raise RetryLater("never reached", after=5)

    intake = EventIntake(store, unknown, KnownLabels(store))
    with pytest.raises(RetryLater, match="never reached"):
        await intake.accept(_batch(event(1)))
    assert list(intake.refusals()) == [("database_unknown", "never reached")]


async def test_the_past_is_labelled_as_the_present_told_and_counted_apart(store: FakeStore) -> None:
    labels = KnownLabels(store)
    live = EventIntake(store, lambda: SCHEMA, labels)
    past = EventIntake(store, lambda: SCHEMA, labels, name="backfill")
    await live.accept(_batch(event(1), entities={"sensor.power": {"area": "Hall"}}))
    await past.accept(decode_backfill(json.dumps(batch([event(-9)], stream="past")).encode()))

    assert [one.channel for one in store.stored] == ["events", "backfill"]
    assert b"area=Hall" in store.stored[1].lines.body
    assert store.asked_for_labels == 1


async def test_a_waiting_backfill_is_no_trouble(store: FakeStore, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    past = EventIntake(store, lambda: SCHEMA, KnownLabels(store), name="backfill")
    store.is_full = True
    with pytest.raises(RetryLater):
        await past.accept(_batch(event(1)))
    assert caplog.records == []


async def test_of_too_many_labels_those_of_the_source_that_was_heard_first_are_forgotten(store: FakeStore) -> None:
    known = KnownLabels(store)
    for n in range(10):
        await known.of(f"home{n}")
        known.tell(f"home{n}", {f"sensor.{i}": Labels() for i in range(20_000)})
    before = store.asked_for_labels
    held = [len(await known.of(f"home{n}")) for n in (9, 8)]
    assert (held, store.asked_for_labels) == ([20_000, 20_000], before)
    await known.of("home0")
    assert store.asked_for_labels == before + 1


async def test_a_source_that_tells_of_ever_more_entities_keeps_the_last(store: FakeStore) -> None:
    known = KnownLabels(store)
    await known.of("home")
    for n in range(5):
        known.tell("home", {f"sensor.{n}_{i}": Labels() for i in range(8_000)})
    labels = await known.of("home")
    assert (len(labels), "sensor.4_0" in labels, "sensor.0_0" in labels) == (20_000, True, False)
