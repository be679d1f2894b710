"""Times that callers give: those that PostgreSQL and Python can both compute with."""

from datetime import UTC, datetime
from typing import Annotated, Final

from msgspec import Meta

from homeiq_server.errors import Rejected

type Moment = Annotated[datetime, Meta(tz=True)]

_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)


def checked(at: datetime, *, field: str) -> datetime:
    """Return a time in UTC.

    Raises:
        Rejected: It lies before 2000 or after 2199.
    """
    if not _EARLIEST <= at < _LATEST:
        raise Rejected(f"{field}: give a time between 2000 and 2199")
    return at.astimezone(UTC)


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)
