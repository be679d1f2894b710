"""An integration as it is asked for and answered."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from homeiq_server.api.parameters import CursorText, PageSize, Words
from homeiq_server.delivery.config import Kind
from homeiq_server.store import integrations

type Config = Annotated[
    dict[str, Any],
    Meta(description="webhook: url; mqtt: topic, qos, retain; email: recipients, subject_prefix; else nothing."),
]


class Integration(Struct, frozen=True, kw_only=True):
    """Where alerts can go.

    Attributes:
        active_secrets: With how many secrets webhooks are signed; 2 while the secret is being changed.
    """

    id: UUID
    name: str
    kind: Kind
    enabled: bool
    config: Config
    active_secrets: int
    version: int
    created_at: datetime
    updated_at: datetime


class IntegrationMade(Integration, frozen=True, kw_only=True):
    """An integration with a new secret.

    Attributes:
        secret: What its webhooks are signed with, shown here and never again; null of other kinds.
    """

    secret: str | None


class Integrations(Struct, frozen=True, kw_only=True):
    """A page of integrations, oldest first."""

    integrations: list[Integration]
    next_cursor: str | None


class IntegrationBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An integration that is to be made."""

    name: Words
    kind: Kind
    enabled: bool = True
    config: Config = {}


class IntegrationPatch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to change; ``config`` as a whole."""

    name: Words | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    config: Config | UnsetType = UNSET


class Trial(Struct, frozen=True, kw_only=True):
    """What became of a test.

    Attributes:
        ok: It was taken; of ``home_assistant``, that it waits to be fetched.
        status: The receiver's own answer, when it gave one.
        error: What went wrong.
        duration_s: How long it took.
        delivery_id: Of ``home_assistant``, the delivery that waits.
    """

    ok: bool
    status: int | None
    error: str | None
    duration_s: float
    delivery_id: int | None


class Page(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part of a list."""

    limit: PageSize = 50
    cursor: CursorText | None = None


def integration_of(kept: integrations.Integration) -> Integration:
    """Return the answer for what is kept."""
    return Integration(**_values(kept))


def made_of(kept: integrations.Integration, secret: str | None) -> IntegrationMade:
    """Return the answer for what is kept, with the new secret."""
    return IntegrationMade(secret=secret, **_values(kept))


def _values(kept: integrations.Integration) -> dict[str, Any]:
    own = {name: getattr(kept, name) for name in Integration.__struct_fields__ if name != "active_secrets"}
    return own | {"active_secrets": kept.secrets}
