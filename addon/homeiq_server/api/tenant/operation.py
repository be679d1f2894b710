"""One route of the tenant API: what is asked for, who may, what is answered. The document is made of it, too."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from msgspec import Meta, Struct

from homeiq_server.errors import NotFound
from homeiq_server.store.pool import Conn, Workers

from .caller import Caller, Scope

type Method = Literal["GET", "POST", "PATCH", "DELETE"]
type IdempotencyKey = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$(?!\n)")]

_LARGEST_ID: Final = 2**63 - 1


class NoQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


class NoBody(Struct, frozen=True, forbid_unknown_fields=True):
    """No body, or an empty object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call[Query, Body]:
    """A request, checked.

    Attributes:
        caller: Who asks; may do what the operation needs.
        store: The way to the rows of all tenants; use ``conn``.
        path: The parts of the address that the operation leaves open, as text.
        query: The parameters in their shape.
        body: The body in its shape.
        raw_body: The same as it came.
        if_match: The version that the caller has seen; None when he does not care.
        idempotency_key: Of an operation that demands one; else empty.
        is_gone: Tells whether the caller has hung up, so that nobody waits for an answer any more.
    """

    caller: Caller
    store: Workers
    path: Mapping[str, str]
    query: Query
    body: Body
    raw_body: bytes = b""
    if_match: int | None = None
    idempotency_key: str = ""
    is_gone: Callable[[], bool] = lambda: False

    @property
    def tenant_id(self) -> str:
        """The caller's tenant."""
        return self.caller.tenant_id

    def conn(self) -> AbstractAsyncContextManager[Conn]:
        """Give a connection in a transaction that sees and writes the rows of the caller's tenant alone.

        Raises:
            RetryLater: The store is down or busy; nothing was done.
        """
        return self.store.tenant(self.caller.tenant_id)

    def uuid(self, name: str = "id") -> UUID:
        """Return an open part of the address that is a UUID.

        Raises:
            NotFound: It is none, so that there is no such thing.
        """
        try:
            return UUID(self.path[name])
        except ValueError as err:
            raise NotFound("there is no such thing: its id is a UUID") from err

    def number(self, name: str = "id") -> int:
        """Return an open part of the address that is a number of a row.

        Raises:
            NotFound: It is none, so that there is no such thing.
        """
        text = self.path[name]
        if not (
            text.isascii() and text.isdecimal() and len(text) <= len(str(_LARGEST_ID)) and int(text) <= _LARGEST_ID
        ):
            raise NotFound("there is no such thing: its id is a whole number")
        return int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is answered.

    Attributes:
        content: Becomes JSON; None for no body.
        status: None for that of the operation.
        version: Becomes the ETag.
        headers: Others.
    """

    content: object = None
    status: int | None = None
    version: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation[Query, Body]:
    """A route.

    Attributes:
        method: Of HTTP.
        path: Such as ``/tenant/v1/alerts/{id}``.
        tag: The noun that it is listed under.
        summary: A sentence for the document.
        scope: What the caller must be allowed; None for whoever has a token of the tenant.
        query: The shape of its parameters.
        body: The shape of its body; ``NoBody`` for none.
        answer: The shape of the answer; None when there is no body.
        status: Of success.
        handle: Does it.
        problems: The statuses that it may fail with beside 400, 401, 403, 429 and 503, which all have.
        idempotent: The header ``Idempotency-Key`` is demanded.
        versioned: Takes ``If-Match``, and answers with an ETag.
    """

    method: Method
    path: str
    tag: str
    summary: str
    scope: Scope | None
    query: type[Query]
    body: type[Body]
    answer: Any = None
    status: int = 200
    handle: Callable[[Call[Query, Body]], Awaitable[Reply]]
    problems: Sequence[int] = ()
    idempotent: bool = False
    versioned: bool = False


type AnyOperation = Operation[Any, Any]
