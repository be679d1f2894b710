import asyncio
from collections.abc import Sequence

import pytest

from homeiq_server.errors import RetryLater, TooLarge
from homeiq_server.history.line_protocol import Form
from homeiq_server.history.precision import PRECISIONS
from homeiq_server.intake.lines import LineIntake, Taken
from homeiq_server.model import Intake, Receipt

MEBIBYTE = 1024 * 1024
LINE = b"m,tag=" + b"x" * 200 + b" f=1 1790000000"
NOW_NS = 1_790_000_000_000_000_000


class ListStore:
    """Keeps what is put, up to a number of transactions."""

    def __init__(self, *, room: int = 1_000) -> None:
        self.kept: list[Intake] = []
        self._room = room

    async def put(self, intake: Intake) -> Receipt:
        if len(self.kept) == self._room:
            raise RetryLater("full", after=3)
        self.kept.append(intake)
        return Receipt()


def body_of(lines: Sequence[bytes]) -> bytearray:
    return bytearray(b"\n".join(lines))


def no_limit(_more: int) -> None:
    pass


def line_intake(store: ListStore, form: Form | None = "influx") -> LineIntake:
    return LineIntake(store, lambda: form, now_ns=lambda: NOW_NS)


async def accept(intake: LineIntake, body: bytearray, *, partly: bool = False) -> Taken:
    return await intake.accept(body, PRECISIONS["s"], partly=partly, grow=no_limit)


async def test_a_small_body_is_one_transaction_also_when_it_comes_in_many_pieces() -> None:
    store = ListStore()
    odd = [rb"a\\b f=1 5 ", b" m f=2", LINE] * 1_000
    assert await accept(line_intake(store), body_of(odd)) == Taken(3_000, 0, [])

    [kept] = store.kept
    assert kept.lines.body.split(b"\n") == [rb"a\\b f=1 5", b"m f=2 1790000000", LINE] * 1_000
    assert kept.last_us == NOW_NS // 1_000


async def test_a_large_body_is_several_transactions_whose_tallies_add_up() -> None:
    store = ListStore()
    lines = [LINE] * (3 * MEBIBYTE // len(LINE))
    await accept(line_intake(store), body_of([*lines, b"bad"]), partly=True)

    assert len(store.kept) >= 3
    assert all(len(kept.lines.body) <= MEBIBYTE for kept in store.kept)
    assert b"\n".join(kept.lines.body for kept in store.kept).split(b"\n") == lines
    assert sum(kept.tally.received for kept in store.kept) == len(lines) + 1
    assert [dict(kept.tally.rejected) for kept in store.kept] == [{"missing fields": 1}, *[{}] * (len(store.kept) - 1)]


async def test_a_large_body_with_one_bad_line_is_refused_whole_before_any_of_it_is_stored() -> None:
    store = ListStore()
    lines = [LINE] * (3 * MEBIBYTE // len(LINE))
    taken = await accept(line_intake(store), body_of([*lines, b"bad"]))

    assert taken.refused == 1
    [kept] = store.kept
    assert (kept.lines.count, kept.tally.converted, kept.tally.received) == (0, 0, len(lines) + 1)


async def test_what_the_store_refuses_is_not_acknowledged_and_shown_as_trouble() -> None:
    intake = line_intake(ListStore(room=1))
    with pytest.raises(RetryLater, match="full"):
        await accept(intake, body_of([LINE] * (3 * MEBIBYTE // len(LINE))))
    assert list(intake.refusals()) == [("spool_refuses", "full")]


async def test_nothing_is_taken_when_the_server_stops() -> None:
    intake = line_intake(ListStore())
    intake.stop()
    with pytest.raises(RetryLater, match="stopping"):
        await accept(intake, body_of([LINE]))


async def test_lines_that_have_to_be_copied_are_told_before_they_are_too_many() -> None:
    told: list[int] = []

    def grow(more: int) -> None:
        told.append(more)
        if more > MEBIBYTE:
            raise TooLarge("too much")

    padded, plain = body_of([b" " + LINE] * 20_000), body_of([LINE] * 20_000)
    with pytest.raises(TooLarge):
        await line_intake(ListStore()).accept(padded, PRECISIONS["s"], partly=False, grow=grow)
    assert max(told) < 2 * MEBIBYTE
    await line_intake(ListStore()).accept(plain, PRECISIONS["s"], partly=False, grow=grow)
    assert told[-1] == 0


async def test_a_small_body_need_not_wait_for_a_large_one() -> None:
    store = ListStore()
    intake = line_intake(store)
    large = asyncio.create_task(accept(intake, body_of([LINE] * (8 * MEBIBYTE // len(LINE)))))
    await asyncio.sleep(0)
    await accept(intake, body_of([b"small f=1 1"]))

    assert not large.done()
    await large
    assert store.kept[0].lines.body == b"small f=1 1"


@pytest.mark.parametrize("form", ["victoria", None])
async def test_the_law_holds_for_every_kind_of_database(form: Form | None) -> None:
    store = ListStore()
    await accept(line_intake(store, form), body_of([LINE, b'm state="a" 5', b'm said="b" 5', b"bad"]), partly=True)

    [kept] = store.kept
    tally = kept.tally
    assert tally.received == 4
    assert tally.received == tally.converted + sum(tally.skipped.values()) + sum(tally.rejected.values())
    assert tally.skipped == ({"text only": 1} if form else {"history is off": 3})
