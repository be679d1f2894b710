"""Which metrics the rules of each tenant watch, and who has rules at all; what is judged is read when it is judged."""

from collections import defaultdict
from collections.abc import Container
from typing import Final, override

from homeiq_server.store import alert_rules
from homeiq_server.store.alert_rules import RuleKind
from homeiq_server.store.changes import Change, Changes
from homeiq_server.store.pool import Workers

_NONE: Final[frozenset[str]] = frozenset()


class _Every(Container[str]):
    @override
    def __contains__(self, name: object) -> bool:
        return True


class Watched:
    """Of all tenants. Until the rules are read every metric is watched.

    Outdated for a moment after a change, which a review makes up for.
    """

    def __init__(self, store: Workers, changes: Changes) -> None:
        self._store = store
        self._changes = changes
        self._metrics: dict[str, frozenset[str]] | None = None
        self._tenants: dict[RuleKind, frozenset[str]] = {}
        self._outdated = True
        changes.follow(self._heard, self._missed)

    def metrics(self, tenant_id: str) -> Container[str]:
        """Return what the thresholds of a tenant are about."""
        if self._metrics is None:
            return _Every()
        return self._metrics.get(tenant_id, _NONE)

    def tenants(self, *kinds: RuleKind) -> set[str]:
        """Return who has rules of one of these kinds in force."""
        return {tenant for kind in kinds for tenant in self._tenants.get(kind, _NONE)}

    async def refresh(self) -> None:
        """Read the rules when they may have changed; while changes are not heard, always.

        Raises:
            RetryLater: The store is away; what was known stays.
        """
        if not self._outdated and self._changes.is_listening:
            return
        self._outdated = False
        metrics: defaultdict[str, set[str]] = defaultdict(set)
        tenants: defaultdict[RuleKind, set[str]] = defaultdict(set)
        try:
            async with self._store.worker() as conn:
                for tenant_id, kind, metric in await alert_rules.watching(conn):
                    tenants[kind].add(tenant_id)
                    if metric is not None:
                        metrics[tenant_id].add(metric)
        except BaseException:
            self._outdated = True
            raise
        self._metrics = {tenant: frozenset(names) for tenant, names in metrics.items()}
        self._tenants = {kind: frozenset(names) for kind, names in tenants.items()}

    def _heard(self, change: Change) -> None:
        if change.table == "alert_rules":
            self._outdated = True

    def _missed(self) -> None:
        self._outdated = True
