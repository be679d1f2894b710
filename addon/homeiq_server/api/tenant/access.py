"""Finds out who asks by the token that he shows, and how often he may."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final, override

from aiohttp import BasicAuth, web

from homeiq_server.api import page
from homeiq_server.buckets import Buckets
from homeiq_server.credentials import digest, tenant_of
from homeiq_server.errors import Forbidden, TooMany, Unauthorized
from homeiq_server.store import api_tokens
from homeiq_server.store.changes import Changes
from homeiq_server.store.pool import Tenants
from homeiq_server.token import Token

from .caller import HOME, Caller, Scope
from .known_tokens import Known, KnownTokens
from .serving import Access
from .times import now

# Requests a second, and at once: of a token, of all tokens of a tenant, and wrong ones of a peer.
_TOKEN_RATE: Final = (50.0, 200.0)
_TENANT_RATE: Final = (200.0, 800.0)
_WRONG_RATE: Final = (10.0, 100.0)
# A flood of made-up tokens may not take all connections of the pool.
_LOOKUPS_AT_ONCE: Final = 3


class PageAccess(Access):
    """Behind Home Assistant's ingress: who gets there is the home's owner."""

    @override
    async def caller(self, request: web.Request) -> Caller:
        """Return the home."""
        return HOME


class TokenAccess(Access):
    """By the app's own token, which is the home's and the operator's, or by one of a tenant's.

    The app's own token is asked for nothing but itself: it works without the store, and as often as its owner likes.
    """

    def __init__(  # noqa: PLR0913 - what it decides by, and two clocks for tests
        self,
        token: Token,
        store: Tenants,
        changes: Changes,
        *,
        buckets: Buckets | None = None,
        known: KnownTokens | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """Know nobody but the app yet.

        Args:
            token: The app's own.
            store: Has the tenants' tokens.
            changes: Tells which of them changed.
            buckets: How often everybody has asked; their own when not given.
            known: What was looked up lately; the same.
            clock: The time, in UTC.
        """
        self._token = token
        self._store = store
        self._buckets = Buckets() if buckets is None else buckets
        self._known = KnownTokens(changes) if known is None else known
        self._lookups = asyncio.Semaphore(_LOOKUPS_AT_ONCE)
        self._clock = clock

    @override
    async def caller(self, request: web.Request) -> Caller:
        """Return who asks.

        Raises:
            Unauthorized: He shows no token, or one that is unknown, expired or revoked.
            Forbidden: His tenant is suspended.
            TooMany: He asks too often, or has shown too many wrong tokens.
            RetryLater: The store is down, so that nobody knows.
        """
        claim, is_basic = _claim(request)
        if claim and self._token.matches(claim):
            return HOME
        if not claim or is_basic:  # a browser asks for a password then; of one it shows, no look-up is made
            raise _unauthorized()
        return await self._of_tenant(claim, request.remote or "")

    async def _of_tenant(self, claim: str, peer: str) -> Caller:
        hashed = digest(claim)
        known = None
        if tenant_id := tenant_of(claim):
            known = self._known.get(tenant_id, hashed) or await self._look_up(tenant_id, hashed, peer)
        if known is None or (known.expires_at is not None and known.expires_at <= self._clock()):
            self._count_wrong(peer)
            raise _unauthorized()
        if known.suspended:
            raise Forbidden("the tenant is suspended: ask who operates this server")
        self._limit(known.caller)
        return known.caller

    async def _look_up(self, tenant_id: str, hashed: bytes, peer: str) -> Known | None:
        if not self._known.knew(tenant_id, hashed):
            self._must_not_guess(peer)
        async with self._lookups:
            if found := self._known.get(tenant_id, hashed):  # whoever waited before has asked for it
                return found
            generation = self._known.generation
            async with self._store.tenant(tenant_id) as conn:
                row = await api_tokens.find(conn, tenant_id, hashed)
        if row is None:
            self._known.forget(tenant_id, hashed)
            return None
        scopes = frozenset(Scope(each) for each in row["scopes"] if each in _SCOPES)
        caller = Caller(tenant_id=tenant_id, name=f"token:{row['shown']}", scopes=scopes)
        known = Known(caller, row["tenant_status"] != "ACTIVE", row["expires_at"])
        self._known.put(tenant_id, hashed, known, generation=generation)
        return known

    def _limit(self, caller: Caller) -> None:
        whole = ("tenant", caller.tenant_id)
        if wait := self._buckets.take(whole, *_TENANT_RATE):
            raise TooMany("the tenant asks more often than it may", after=wait)
        if wait := self._buckets.take(("token", caller.tenant_id, caller.name), *_TOKEN_RATE):
            self._buckets.refund(whole)
            raise TooMany("this token is used more often than it may be", after=wait)

    def _must_not_guess(self, peer: str) -> None:
        """Let a peer that has shown too many wrong tokens wait.

        Behind a proxy all are one peer: tokens that were right before are not asked for this.
        """
        if wait := self._buckets.take(("wrong", peer), *_WRONG_RATE):
            raise TooMany("too many wrong tokens came from this address", after=wait)
        self._buckets.refund(("wrong", peer))

    def _count_wrong(self, peer: str) -> None:
        if wait := self._buckets.take(("wrong", peer), *_WRONG_RATE):
            raise TooMany("too many wrong tokens came from this address", after=wait)


_SCOPES: Final = frozenset(scope.value for scope in Scope) - {Scope.OPERATOR.value}


def _unauthorized() -> Unauthorized:
    return Unauthorized(
        "send a token as 'Authorization: Bearer <token>': one of the tenant's, or the app's own, which is in the file"
        " 'token' of its data"
    )


def _claim(request: web.Request) -> tuple[str, bool]:
    """Return what is shown, and whether by Basic: browsers add that by themselves, to whatever page makes them ask."""
    header = request.headers.get("Authorization", "")
    scheme, _, claim = header.partition(" ")
    match scheme.lower():
        case "bearer":
            return claim.strip(), False
        case "basic" if request.method in ("GET", "HEAD") or page.asks(request):
            try:
                password: str = BasicAuth.decode(header).password
            except ValueError:
                return "", True
            return password, True
        case _:
            return "", False
