"""A route as it is asked for and answered."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType, convert, field

from homeiq_server.api.parameters import Words
from homeiq_server.store import alert_routes

type Change = Literal["opened", "raised", "acknowledged", "unacknowledged", "cleared"]
type Severities = Annotated[
    list[Literal[1, 2, 3, 4, 5]],
    Meta(min_length=1, max_length=5, description="5 critical, 4 high, 3 medium, 2 low, 1 info; at least one."),
]
type Changes = Annotated[list[Change], Meta(min_length=1, max_length=5)]
type Names = Annotated[list[Words], Meta(min_length=1, max_length=100)]
type Patterns = Annotated[
    list[Words], Meta(min_length=1, max_length=100, description="Ids; what ends with * is a prefix.")
]


class RouteBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A route that is to be made. Lists that are null mean any."""

    integration_id: UUID
    name: Words
    enabled: bool = True
    severities: Severities = field(default_factory=lambda: [1, 2, 3, 4, 5])
    kinds: Names | None = None
    site_ids: Names | None = None
    device_ids: Patterns | None = None
    deliver_on: Changes = field(default_factory=lambda: ["opened"])


class RoutePatch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to change."""

    integration_id: UUID | UnsetType = UNSET
    name: Words | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    severities: Severities | UnsetType = UNSET
    kinds: Names | UnsetType | None = UNSET
    site_ids: Names | UnsetType | None = UNSET
    device_ids: Patterns | UnsetType | None = UNSET
    deliver_on: Changes | UnsetType = UNSET


class Route(Struct, frozen=True, kw_only=True):
    """Which alerts go where.

    Attributes:
        failures: How many attempts failed in a row.
        paused_until: Nothing is sent before, because too many did; null: nothing holds it.
    """

    id: UUID
    integration_id: UUID
    name: str
    enabled: bool
    severities: list[int]
    kinds: list[str] | None
    site_ids: list[str] | None
    device_ids: list[str] | None
    deliver_on: list[str]
    failures: int
    paused_until: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


class Routes(Struct, frozen=True, kw_only=True):
    """A page of routes, oldest first."""

    routes: list[Route]
    next_cursor: str | None


def route_of(kept: alert_routes.Route) -> Route:
    """Return the answer for what is kept."""
    return convert(kept, Route, from_attributes=True)
