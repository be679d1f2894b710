"""``/api/v1/dead-letters``: lines that the database will never take; listed, sent once more, or given up."""

from typing import Annotated, Final, Protocol

from aiohttp import web
from msgspec import Meta, Struct
from msgspec.structs import asdict

from homeiq_server.errors import Rejected
from homeiq_server.history.spool.tables.dead_query import MAX_LISTED, DeadQuery, StoredLetter, Which
from homeiq_server.wire import read_body, read_query

from .answer import ok
from .body import body_of

PATH: Final = "/api/v1/dead-letters"
MAX_IDS: Final = 5_000

type _Text = Annotated[str, Meta(min_length=1, max_length=1_000)]
type _Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class DeadLetterStore(Protocol):
    """Where dead letters lie."""

    async def dead_letters(self, query: DeadQuery) -> list[StoredLetter]:
        """Return those that match, newest first."""
        ...

    async def replay(self, which: Which) -> int:
        """Queue them again; return how many lines."""
        ...

    async def discard(self, which: Which) -> int:
        """Give them up; return how many lines."""
        ...


STORE: Final[web.AppKey[DeadLetterStore]] = web.AppKey("dead_letter_store")


class _Filter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: _Text | None = None
    target: _Text | None = None
    source: _Text | None = None
    channel: _Text | None = None
    measurement: _Text | None = None
    since_us: _Number | None = None
    until_us: _Number | None = None
    before_id: _Number | None = None


class _Query(_Filter, frozen=True, kw_only=True, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=MAX_LISTED)] = 100


class _Chosen(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    ids: Annotated[tuple[_Number, ...], Meta(max_length=MAX_IDS)] | None = None
    filter: _Filter | None = None

    def which(self) -> Which:
        """Return what was chosen, in one way or the other."""
        match self.ids, self.filter:
            case ids, None if ids is not None:
                return ids
            case None, chosen if chosen is not None:
                return DeadQuery(**asdict(chosen))
            case _:
                raise Rejected("ids, filter: give one of the two; an empty filter chooses all")


class Letter(Struct, frozen=True, kw_only=True):
    """A dead letter as it is shown; see ``StoredLetter``."""

    id: int
    died_us: int
    accepted_us: int
    channel: str
    source: str | None
    precision: str
    form: str
    count: int
    code: int | None
    reason: str
    target: str
    size: int
    line: str


class Page(Struct, frozen=True, kw_only=True):
    """Some letters, newest first; ``next_before_id`` is the ``before_id`` of the next page, None on the last."""

    dead_letters: list[Letter]
    next_before_id: int | None


class Done(Struct, frozen=True, kw_only=True):
    """How many lines it was about."""

    lines: int


async def get_dead_letters(request: web.Request) -> web.Response:
    """Answer 200 with the letters that the query asks for."""
    query = read_query(_Query, request.query)
    letters = await request.app[STORE].dead_letters(DeadQuery(**asdict(query)))
    following = letters[-1].id if len(letters) == query.limit else None
    return ok(Page(dead_letters=[_shown(letter) for letter in letters], next_before_id=following))


async def post_replay(request: web.Request) -> web.Response:
    """Answer 200 once the letters are in the queue again; what a database still refuses comes back as a letter."""
    async with body_of(request) as body:
        lines = await request.app[STORE].replay(read_body(_Chosen, body).which())
    return ok(Done(lines=lines))


async def post_discard(request: web.Request) -> web.Response:
    """Answer 200 once the letters are gone, each line counted as dropped."""
    async with body_of(request) as body:
        lines = await request.app[STORE].discard(read_body(_Chosen, body).which())
    return ok(Done(lines=lines))


def _shown(letter: StoredLetter) -> Letter:
    return Letter(
        id=letter.id,
        died_us=letter.died_us,
        accepted_us=letter.accepted_us,
        channel=letter.channel,
        source=letter.source,
        precision=letter.precision,
        form=letter.form,
        count=letter.count,
        code=letter.code,
        reason=letter.reason,
        target=letter.target,
        size=letter.size,
        line=letter.line.decode(errors="replace"),
    )
