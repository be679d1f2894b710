"""Dead letters: found, sent again, given up; and lines that are born as such."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from homeiq_server.errors import RetryLater
from homeiq_server.history.spool.changes.dead_letters import DiscardDead, ReplayDead
from homeiq_server.history.spool.changes.oversize import MAX_LINE_BYTES
from homeiq_server.history.spool.changes.put import Put
from homeiq_server.history.spool.changes.settle import Settle
from homeiq_server.history.spool.file import SpoolFile
from homeiq_server.history.spool.rows import Settled
from homeiq_server.history.spool.tables import dead_query as spool_query
from homeiq_server.history.spool.tables.dead_query import DeadQuery, StoredLetter
from homeiq_server.model import Lines
from tests.unit.homeiq_server.history.spool.spool_builders import (
    SECOND_US,
    Clock,
    bury,
    intake,
    letter,
    make,
    open_file,
    put,
    take,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path, clock: Clock) -> Iterator[SpoolFile]:
    file = open_file(tmp_path, clock=clock)
    yield file
    file.close()


def search(file: SpoolFile, query: DeadQuery) -> list[StoredLetter]:
    return file.read(lambda tables: tables.dead.search(query))


def ids(file: SpoolFile) -> list[int]:
    return [found.id for found in search(file, DeadQuery())]


def four(file: SpoolFile, clock: Clock) -> int:
    """Bury four letters, a second apart, and return when the first died."""
    died_us = clock.now_us
    put(file, intake(1, count=1))
    bury(file, letter(b"kWh,domain=sensor value=1.0 1", reason="field type conflict: value"))
    clock.now_us += SECOND_US
    put(file, intake(1, source="cabin", count=1))
    bury(file, letter(b"kW value=1.0 2", target="other"))
    clock.now_us += SECOND_US
    put(file, intake(None, count=1, channel="line_protocol"))
    bury(file, letter(rb"my\ car,a=b speed=1.0 3"))
    clock.now_us += SECOND_US
    put(file, intake(None, count=1, channel="telemetry"))
    bury(file, letter(b"kWh value=1.0 4"))
    return died_us


def test_a_letter_is_listed_with_all_that_is_known_of_it(file: SpoolFile, clock: Clock) -> None:
    accepted_us = clock.now_us
    put(file, intake(1, count=1))
    clock.now_us += SECOND_US
    bury(file, letter(b"m v=1.0 1"))

    assert search(file, DeadQuery()) == [
        StoredLetter(
            id=1,
            died_us=clock.now_us,
            accepted_us=accepted_us,
            channel="events",
            source="home",
            precision="us",
            form="influx",
            count=1,
            code=400,
            reason="field type conflict",
            target="influx",
            size=9,
            line=b"m v=1.0 1",
        )
    ]


def test_letters_are_listed_newest_first_page_by_page(file: SpoolFile, clock: Clock) -> None:
    four(file, clock)

    assert [found.id for found in search(file, DeadQuery(limit=3))] == [4, 3, 2]
    assert [found.id for found in search(file, DeadQuery(limit=3, before_id=2))] == [1]
    assert search(file, DeadQuery(limit=3, before_id=1)) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (DeadQuery(reason="conflict: v"), [1]),
        (DeadQuery(reason="type"), [4, 3, 2, 1]),
        (DeadQuery(reason="%"), []),
        (DeadQuery(target="other"), [2]),
        (DeadQuery(source="cabin"), [2]),
        (DeadQuery(channel="line_protocol"), [3]),
        (DeadQuery(measurement="kWh"), [4, 1]),
        (DeadQuery(measurement="kW"), [2]),
        (DeadQuery(measurement="my car"), [3]),
        (DeadQuery(measurement="my"), []),
        (DeadQuery(measurement="kWh", channel="telemetry"), [4]),
    ],
)
def test_letters_are_found_by_what_they_have_in_common(
    file: SpoolFile, clock: Clock, query: DeadQuery, found: list[int]
) -> None:
    four(file, clock)

    assert [letter.id for letter in search(file, query)] == found


def test_letters_are_found_by_when_they_died(file: SpoolFile, clock: Clock) -> None:
    died_us = four(file, clock)

    assert [found.id for found in search(file, DeadQuery(since_us=died_us + SECOND_US))] == [4, 3, 2]
    assert [found.id for found in search(file, DeadQuery(until_us=died_us + SECOND_US))] == [1]


def test_a_list_is_bounded_in_letters_and_bytes(file: SpoolFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homeiq_server.history.spool.tables.dead_letters.MAX_LISTED", 2)
    for seq in range(1, 5):
        put(file, intake(seq, count=1))
        bury(file, letter(b"m v=" + b"1" * 10_000))

    found = search(file, DeadQuery(limit=10**9))
    assert [(len(letter.line), letter.size) for letter in found] == [(spool_query.SHOWN_BYTES, 10_004)] * 2
    assert search(file, DeadQuery(limit=-1)) == []


def test_a_replayed_letter_waits_again_as_it_came(file: SpoolFile, clock: Clock) -> None:
    body = Lines(b"good v=1.0 1\nbad v=1.0 2", 2, "ms")
    file.commit([Put(intake(1, body=body, count=2), "victoria")])
    bury(file, letter(b"bad v=1.0 2"))
    clock.now_us += SECOND_US

    assert make(file, ReplayDead(DeadQuery())) == 1
    (row,) = take(file)
    assert row.body() == b"bad v=1.0 2"
    assert (row.channel, row.source, row.precision, row.form) == ("events", "home", "ms", "victoria")
    assert row.accepted_us == clock.now_us
    assert ids(file) == []


def test_a_replay_moves_lines_from_dead_to_queued_and_spools_none_anew(file: SpoolFile, clock: Clock) -> None:
    four(file, clock)
    make(file, ReplayDead([1, 3, 77]))

    totals = file.totals.lines
    assert (totals.spooled, totals.queued, totals.dead) == (4, 2, 2)
    assert ids(file) == [4, 2]


def test_a_replay_takes_all_that_match_whatever_a_list_would_hold(file: SpoolFile, clock: Clock) -> None:
    four(file, clock)

    assert make(file, ReplayDead(DeadQuery(measurement="kWh", limit=1))) == 2
    assert make(file, ReplayDead([])) == 0


def test_letters_of_a_kind_become_one_row(file: SpoolFile) -> None:
    for seq in range(1, 20):
        put(file, intake(seq, count=1))
        bury(file, letter(f"m v={seq}.0 {seq}".encode()))
    make(file, ReplayDead(DeadQuery()))

    (row,) = take(file)
    assert row.body().split(b"\n") == [f"m v={seq}.0 {seq}".encode() for seq in range(1, 20)]


def test_a_letter_of_several_lines_is_replayed_whole(file: SpoolFile) -> None:
    put(file, intake(1, count=3))
    (row,) = take(file)
    make(file, Settle((Settled(row_id=row.id, written=1, dead=(letter(b"a v=1\nb v=2", count=2),)),)))

    assert make(file, ReplayDead(DeadQuery())) == 2
    assert take(file)[0].count == 2


def test_a_replay_that_is_refused_again_is_a_new_letter(file: SpoolFile) -> None:
    put(file, intake(1, count=1))
    bury(file, letter(reason="first"))
    make(file, ReplayDead([1]))
    bury(file, letter(reason="second"))

    assert [(found.id, found.reason) for found in search(file, DeadQuery())] == [(2, "second")]


def test_a_full_queue_takes_no_replay_and_a_nearly_full_one_takes_what_fits(tmp_path: Path) -> None:
    file = open_file(tmp_path, limit_bytes=1_000)
    for seq in range(1, 5):
        put(file, intake(seq, count=1))
        bury(file, letter(b"m v=" + b"1" * 400))

    assert make(file, ReplayDead(DeadQuery())) == 2
    for seq in range(5, 10):
        if file.totals.fill < 1:
            put(file, intake(seq))
    with pytest.raises(RetryLater, match="limit"):
        make(file, ReplayDead(DeadQuery()))
    assert ids(file) == [4, 3]
    file.close()


def test_discarded_letters_are_dropped_lines(file: SpoolFile, clock: Clock) -> None:
    four(file, clock)

    assert make(file, DiscardDead(DeadQuery(measurement="kWh"))) == 2
    assert make(file, DiscardDead([2, 2, 99])) == 1
    assert file.totals.lines.dropped == {"discarded": 3}
    assert file.totals.lines.dead == 1
    assert make(file, DiscardDead(DeadQuery())) == 1
    assert file.totals.dead_bytes == 0


@pytest.mark.parametrize("channel", ["events", "line_protocol", "telemetry"])
def test_a_line_that_no_database_takes_is_a_letter_from_the_start(file: SpoolFile, channel: str) -> None:
    long = b'm v="' + b"x" * MAX_LINE_BYTES + b'" 2'
    body = Lines(b"a v=1.0 1\n" + long + b"\nb v=1.0 3", 3)
    put(file, intake(1 if channel == "events" else None, channel=channel, body=body))

    (row,) = take(file)
    assert row.body() == b"a v=1.0 1\nb v=1.0 3"
    (found,) = search(file, DeadQuery(target="intake"))
    assert (found.size, found.count, found.code, found.channel) == (len(long), 1, None, channel)
    assert "262144 at the most" in found.reason
    totals = file.totals.lines
    assert (totals.spooled, totals.queued, totals.dead) == (3, 2, 1)


def test_a_request_of_nothing_but_a_line_that_is_too_long_queues_nothing(file: SpoolFile) -> None:
    put(file, intake(1, count=1, body=Lines(b"m v=" + b"1" * MAX_LINE_BYTES, 1)))

    assert take(file) == []
    assert file.totals.lines.dead == 1


def test_a_line_that_is_too_long_is_never_sent_not_even_by_a_replay(file: SpoolFile) -> None:
    put(file, intake(1, count=1, body=Lines(b"m v=" + b"1" * MAX_LINE_BYTES, 1)))
    put(file, intake(2, count=1))
    bury(file, letter())

    assert make(file, ReplayDead(DeadQuery())) == 1
    assert file.totals.lines.dead == 1
