"""``/tenant/v1/tokens``: what a tenant's programs prove themselves with."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from asyncpg import Record
from msgspec import Meta, Struct

from homeiq_server.api.cursor import cursor_of, read_cursor
from homeiq_server.api.parameters import CursorText, PageSize, Words
from homeiq_server.credentials import digest, new_api_token
from homeiq_server.errors import Conflict, Forbidden, NotFound, Rejected
from homeiq_server.store import api_tokens, tenants
from homeiq_server.store.moments import moment_us
from homeiq_server.store.pool import Conn
from homeiq_server.wire.batch import TimeUs

from .caller import GRANTABLE, Scope
from .operation import AnyOperation, Call, NoBody, NoQuery, Operation, Reply
from .times import Moment, checked, now

TAG: Final = "Tokens"
MOST: Final = 200
"""How many usable tokens a tenant may have."""

_SHOWN: Final = 6  # characters of the secret; 222 random bits stay unknown


class Token(Struct, frozen=True, kw_only=True):
    """A token as it is listed.

    Attributes:
        begins: How it begins, by which people know it again.
        last_used_at: To the minute; null: never.
        expires_at: Null: never.
    """

    id: UUID
    name: str
    begins: str
    scopes: list[Scope]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None


class TokenMade(Token, frozen=True, kw_only=True):
    """A new token.

    Attributes:
        token: The token itself, shown here and never again.
    """

    token: str


class Tokens(Struct, frozen=True, kw_only=True):
    """A page of tokens that are not revoked, oldest first."""

    tokens: list[Token]
    next_cursor: str | None


class TokenBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token that is to be made.

    Attributes:
        scopes: What it allows.
        expires_at: Null: never.
    """

    name: Words
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=50)]
    expires_at: Moment | None = None


class Page(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part of a list."""

    limit: PageSize = 50
    cursor: CursorText | None = None


async def make(conn: Conn, tenant_id: str, body: TokenBody, *, at: datetime) -> TokenMade:
    """Make a token of a tenant; the only place where it is known.

    Raises:
        NotFound: There is no such tenant.
        Forbidden: No token of a tenant may allow that.
        Rejected: It would be expired.
        Conflict: There are as many as there may be.
    """
    if Scope.OPERATOR in body.scopes:
        raise Forbidden("scopes: no token of a tenant can have operator: the operator has the app's own")
    expires_at = None if body.expires_at is None else checked(body.expires_at, field="expires_at")
    if expires_at is not None and expires_at <= at:
        raise Rejected("expires_at: is over already")
    if not await tenants.lock(conn, tenant_id):
        raise NotFound("there is no such tenant")
    if await api_tokens.count(conn, tenant_id) >= MOST:
        raise Conflict(f"there are {MOST} tokens: revoke those that nobody uses")
    text = new_api_token(tenant_id)
    kept = api_tokens.NewToken(
        name=body.name,
        shown=text.rpartition(".")[2][:_SHOWN],
        token_hash=digest(text),
        scopes=sorted(set(body.scopes)),
        expires_at=expires_at,
    )
    made = _token_of(await api_tokens.create(conn, tenant_id, kept), tenant_id)
    return TokenMade(token=text, **{name: getattr(made, name) for name in Token.__struct_fields__})


class _Tokens:
    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._now = clock

    async def get_all(self, call: Call[Page, NoBody]) -> Reply:
        after = read_cursor(call.query.cursor, tuple[TimeUs, UUID])
        async with call.conn() as conn:
            rows = await api_tokens.page(conn, call.tenant_id, after, limit=call.query.limit + 1)
        shown = [_token_of(row, call.tenant_id) for row in rows[: call.query.limit]]
        more = len(rows) > call.query.limit
        following = cursor_of((moment_us(shown[-1].created_at), shown[-1].id)) if more else None
        return Reply(content=Tokens(tokens=shown, next_cursor=following))

    async def post(self, call: Call[NoQuery, TokenBody]) -> Reply:
        _must_have(call.caller.scopes, call.body.scopes)
        async with call.conn() as conn:
            return Reply(content=await make(conn, call.tenant_id, call.body, at=self._now()))

    async def delete(self, call: Call[NoQuery, NoBody]) -> Reply:
        async with call.conn() as conn:
            if not await api_tokens.revoke(conn, call.tenant_id, call.uuid()):
                raise NotFound("there is no token with this id, or it is revoked")
        return Reply()


def _must_have(own: frozenset[Scope], wanted: Sequence[Scope]) -> None:
    if more := sorted(set(wanted) - own):
        raise Forbidden(f"scopes: a token cannot allow more than the one that makes it: {', '.join(more)}")


def _token_of(row: Record, tenant_id: str) -> Token:
    return Token(
        id=row["id"],
        name=row["name"],
        begins=f"hiq.{tenant_id}.{row['shown']}",
        scopes=[Scope(each) for each in row["scopes"] if each in GRANTABLE],
        created_at=row["created_at"],
        last_used_at=row["last_used_at"],
        expires_at=row["expires_at"],
    )


def operations(*, clock: Callable[[], datetime] = now) -> tuple[AnyOperation, ...]:
    """Return the operations on a tenant's own tokens."""
    noun = _Tokens(clock)
    return (
        Operation(
            method="GET",
            path="/tenant/v1/tokens",
            tag=TAG,
            summary="List tokens that are not revoked.",
            scope=Scope.TOKENS_READ,
            query=Page,
            body=NoBody,
            answer=Tokens,
            handle=noun.get_all,
        ),
        Operation(
            method="POST",
            path="/tenant/v1/tokens",
            tag=TAG,
            summary="Make a token; it is shown in this answer and never again.",
            scope=Scope.TOKENS_WRITE,
            query=NoQuery,
            body=TokenBody,
            answer=TokenMade,
            status=201,
            handle=noun.post,
            problems=(404, 409),
        ),
        Operation(
            method="DELETE",
            path="/tenant/v1/tokens/{id}",
            tag=TAG,
            summary="Revoke a token, for ever and at once.",
            scope=Scope.TOKENS_WRITE,
            query=NoQuery,
            body=NoBody,
            handle=noun.delete,
            status=204,
            problems=(404,),
        ),
    )
