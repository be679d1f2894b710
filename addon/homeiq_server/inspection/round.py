"""One round for one source: what holds now, compared with what the store has, in one transaction."""

import asyncio
from itertools import batched
from typing import Final

from homeiq_server.insights.engine import Engine
from homeiq_server.insights.finding import Evaluation, Facts, Hour, Kind
from homeiq_server.store import checkpoints, facts, finding_changes, findings, health, hours
from homeiq_server.store.pool import Tenants

_HOURS_AT_ONCE: Final = 5_000
UNTIDY: Final = frozenset(
    {Kind.MISSING_AREA, Kind.PLACEHOLDER_NAME, Kind.DUPLICATE_NAME, Kind.MISSING_INTEGRATION, Kind.ORPHAN_ENTITY}
)
"""What the registries alone tell: whether it still holds is known at any moment, also after a start."""
_OBSERVED: Final = frozenset(Kind) - UNTIDY


class Pending:
    """What an engine gave away and the store has not taken yet: it waits here, bounded by what the engine tracks."""

    def __init__(self) -> None:
        self.facts: dict[str, Facts] = {}
        self.states: dict[str, bytes] = {}


async def evaluate(engine: Engine, now_us: int) -> Evaluation:
    """Return what holds now; the event loop goes on between slices."""
    slices = engine.evaluation(now_us)
    while True:
        try:
            next(slices)
        except StopIteration as end:
            evaluation: Evaluation = end.value
            return evaluation
        await asyncio.sleep(0)


async def bring(store: Tenants, tenant_id: str, engine: Engine, evaluation: Evaluation, pending: Pending) -> None:
    """Bring what holds, what was measured and the hours to the store.

    Raises:
        RetryLater: The store is away; nothing is lost, the next round brings it.
    """
    taken: list[Hour] = []
    try:
        async with store.tenant(tenant_id) as connection:
            await health.save(connection, tenant_id, evaluation.at_us, evaluation.health)
            pending.facts.update(engine.take_changed_facts())
            await facts.save(connection, tenant_id, pending.facts)
            taken = engine.take_hours()
            for some in batched(taken, _HOURS_AT_ONCE, strict=False):
                await hours.add(connection, tenant_id, engine.source, some)
            # Last, because it holds up whoever mutes a finding meanwhile.
            for kinds, settled in ((UNTIDY, True), (_OBSERVED, evaluation.settled)):
                await findings.reconcile(
                    connection,
                    tenant_id,
                    engine.source,
                    [condition for condition in evaluation.conditions if condition.kind in kinds],
                    at_us=evaluation.at_us,
                    settled=settled,
                    evaluated=kinds,
                )
    except BaseException:
        engine.give_back_hours(taken)
        raise
    pending.facts.clear()


async def checkpoint(store: Tenants, tenant_id: str, engine: Engine, pending: Pending) -> None:
    """Bring what the engine remembers to the store, so that a restart forgets nothing.

    Raises:
        RetryLater: The store is away; nothing is lost, the next checkpoint brings it.
    """
    async with store.tenant(tenant_id) as connection:
        pending.states.update(engine.take_state())
        await checkpoints.save(connection, tenant_id, engine.source, pending.states.items())
    pending.states.clear()


async def prune(store: Tenants, tenant_id: str, *, now_us: int, hours_kept_us: int, history_kept_us: int) -> None:
    """Delete what is older than it is kept."""
    async with store.tenant(tenant_id) as connection:
        await hours.prune(connection, tenant_id, now_us - hours_kept_us)
        await health.prune(connection, tenant_id, now_us - history_kept_us)
        await findings.prune(connection, tenant_id, now_us - history_kept_us)
        await finding_changes.prune(connection, tenant_id, now_us - history_kept_us)
