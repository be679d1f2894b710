"""Tokens that were looked up lately: bounded, and outdated at once when something about them changes."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from homeiq_server.store.changes import Change, Changes

from .caller import Caller

_MOST: Final = 10_000
_KEPT_S: Final = 60
_KEPT_UNHEARD_S: Final = 5
_OUTDATED: Final = -math.inf
_TABLES: Final = frozenset({"api_tokens", "tenants"})


@dataclass(frozen=True, slots=True)
class Known:
    """A token that is not revoked, of a tenant that is not deleted.

    Attributes:
        suspended: Its tenant is.
        expires_at: None: never.
    """

    caller: Caller
    suspended: bool
    expires_at: datetime | None


class KnownTokens:
    """What is known of tokens, by tenant and digest, for a minute; for 5 s while changes elsewhere are not heard.

    Attributes:
        generation: Is another one after each change: what was looked up before it may be outdated.
    """

    def __init__(self, changes: Changes, *, most: int = _MOST, clock: Callable[[], float] = time.monotonic) -> None:
        """Know nothing yet.

        Args:
            changes: Tells of tokens and tenants that changed, on whatever server.
            most: How many tokens are remembered; the one that was looked up least recently goes first.
            clock: Monotonic, in seconds.
        """
        self.generation = 0
        self._changes = changes
        self._most = most
        self._clock = clock
        self._known: dict[tuple[str, bytes], tuple[float, Known]] = {}
        self._of_tenant: dict[str, set[bytes]] = {}
        changes.follow(self._hear, self._outdate_all)

    def __len__(self) -> int:
        return len(self._known)

    def get(self, tenant_id: str, digest: bytes) -> Known | None:
        """Return what is known of a token, None when it has to be looked up."""
        if (found := self._known.get((tenant_id, digest))) is None:
            return None
        since, known = found
        kept = _KEPT_S if self._changes.is_listening else _KEPT_UNHEARD_S
        return known if self._clock() - since < kept else None

    def knew(self, tenant_id: str, digest: bytes) -> bool:
        """Tell whether a token was right when it was looked up last: whoever shows it again is not guessing."""
        return (tenant_id, digest) in self._known

    def put(self, tenant_id: str, digest: bytes, known: Known, *, generation: int) -> None:
        """Remember what was looked up; as outdated if something changed since ``generation``."""
        self.forget(tenant_id, digest)
        while len(self._known) >= self._most:
            self.forget(*next(iter(self._known)))
        since = self._clock() if generation == self.generation else _OUTDATED
        self._known[tenant_id, digest] = (since, known)
        self._of_tenant.setdefault(tenant_id, set()).add(digest)

    def forget(self, tenant_id: str, digest: bytes) -> None:
        """Forget a token, which was looked up and is not right any more."""
        if self._known.pop((tenant_id, digest), None) is not None:
            of_tenant = self._of_tenant[tenant_id]
            of_tenant.discard(digest)
            if not of_tenant:
                del self._of_tenant[tenant_id]

    def _hear(self, change: Change) -> None:
        if change.table in _TABLES:
            self.generation += 1
            for digest in self._of_tenant.get(change.tenant_id, ()):
                self._outdate((change.tenant_id, digest))

    def _outdate_all(self) -> None:
        self.generation += 1
        for key in self._known:
            self._outdate(key)

    def _outdate(self, key: tuple[str, bytes]) -> None:
        self._known[key] = (_OUTDATED, self._known[key][1])
