"""Sends refused messages through the gate once more, as they came and with the time at which they came."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import batched
from typing import Final, Protocol

from asyncpg import Record

from homeiq_server.errors import RetryLater
from homeiq_server.ingest.message import COUNTED_ONLY, Inbound, Outcome, Refused
from homeiq_server.ingest.quarantine import DETAIL_LETTERS
from homeiq_server.store import quarantine_rows
from homeiq_server.store.moments import moment_us
from homeiq_server.store.pool import Conn, Tenants
from homeiq_server.store.quarantine_rows import Settled
from homeiq_server.store.texts import storable

from .quarantine_shape import ReplayResult

_AT_ONCE: Final = 50
_MOST_REPLAYS: Final = 3  # each has a connection of the store to itself
_BUSY: Final = "messages are being replayed at this moment: ask again when that is done"
_NO_ROW: Final = "there is no message with this id"
_PART: Final = "only the beginning of its payload was kept"


class Gate(Protocol):
    """Decides over messages."""

    async def take(self, messages: Sequence[Inbound]) -> list[Outcome]:
        """Return what becomes of each, once that is on disk.

        Raises:
            RetryLater: Nothing can be kept now.
        """
        ...


class Replaying:
    """Replays messages; of each tenant one request at a time, on all servers together."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._tenants: set[str] = set()

    async def replay(
        self, store: Tenants, tenant_id: str, choose: Callable[[Conn], Awaitable[Sequence[int]]]
    ) -> list[ReplayResult]:
        """Replay the messages that ``choose`` returns.

        What is accepted is noted in steps. A server that dies in the middle of one leaves its messages waiting: when
        they are replayed again their points are the same, and the database has them once.

        Raises:
            RetryLater: Others are being replayed, or nothing can be kept now; what was replayed before, stays so.
        """
        with self._alone(tenant_id):
            async with store.tenant(tenant_id) as conn:
                if not await quarantine_rows.begin_replay(conn, tenant_id):
                    raise RetryLater(_BUSY, after=1)
                results: list[ReplayResult] = []
                for ids in batched(await choose(conn), _AT_ONCE, strict=False):
                    rows = {row["id"]: row for row in await quarantine_rows.chosen(conn, tenant_id, ids)}
                    results += await self._some(store, tenant_id, [(each, rows.get(each)) for each in ids])
                return results

    @contextmanager
    def _alone(self, tenant_id: str) -> Iterator[None]:
        if tenant_id in self._tenants or len(self._tenants) >= _MOST_REPLAYS:
            raise RetryLater(_BUSY, after=1)
        self._tenants.add(tenant_id)
        try:
            yield
        finally:
            self._tenants.remove(tenant_id)

    async def _some(
        self, store: Tenants, tenant_id: str, wanted: Sequence[tuple[int, Record | None]]
    ) -> list[ReplayResult]:
        """Replay messages, and note what became of them in a transaction of its own: it locks rows."""
        results = {each: _skipped(each, row) for each, row in wanted}
        tried = [row for each, row in wanted if row is not None and results[each] is None]
        if tried:
            outcomes = await self._gate.take([_inbound(tenant_id, row) for row in tried])
            settled = [_settled(row["id"], outcome) for row, outcome in zip(tried, outcomes, strict=True)]
            async with store.tenant(tenant_id) as conn:
                await quarantine_rows.settle(conn, tenant_id, settled)
            for row, outcome in zip(tried, outcomes, strict=True):
                results[row["id"]] = _result(row["id"], outcome)
        return [result for result in results.values() if result]


def _skipped(row_id: int, row: Record | None) -> ReplayResult | None:
    """Return why a message cannot be tried, None when it can."""
    if row is None:
        detail = _NO_ROW
    elif row["state"] != "new":
        detail = f"it was {row['state']} before"
    elif row["stored"] != row["size"]:
        detail = _PART
    else:
        return None
    return ReplayResult(id=row_id, status="skipped", detail=detail)


def _inbound(tenant_id: str, row: Record) -> Inbound:
    return Inbound(
        transport=row["transport"],
        topic=row["topic"],
        payload=row["payload"],
        received_us=moment_us(row["received_at"]),
        vouched=row["authenticated"] and row["topic"].startswith(f"tenant/{tenant_id}/"),
        replay_of=row["id"],
    )


def _settled(row_id: int, outcome: Outcome) -> Settled:
    if not isinstance(outcome, Refused):
        return Settled(id=row_id, replayed=True)
    if outcome.reason in COUNTED_ONLY:
        return Settled(id=row_id, replayed=False)
    return Settled(id=row_id, replayed=False, reason=outcome.reason, detail=storable(outcome.detail, DETAIL_LETTERS))


def _result(row_id: int, outcome: Outcome) -> ReplayResult:
    if isinstance(outcome, Refused):
        return ReplayResult(id=row_id, status="rejected", reason=outcome.reason, detail=outcome.detail)
    return ReplayResult(id=row_id, status="accepted")
