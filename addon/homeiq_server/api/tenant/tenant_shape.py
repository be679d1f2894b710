"""How tenants are shown, and what is given of a new one."""

from datetime import datetime
from typing import Annotated, Any, Literal

from asyncpg import Record
from msgspec import UNSET, Meta, Struct, UnsetType

from homeiq_server.api.parameters import Words
from homeiq_server.credentials import TENANT_ID

from .subscription_shape import Limit, SubscriptionBody

# "$" is also before a newline at the end, in Python alone.
type TenantId = Annotated[str, Meta(pattern=rf"^{TENANT_ID.pattern}$(?!\n)")]
type Status = Literal["ACTIVE", "SUSPENDED", "DELETED"]
type Rate = Annotated[float, Meta(gt=0, le=1_000_000)]
type Burst = Annotated[int, Meta(ge=1, le=10_000_000)]


class OwnTenant(Struct, frozen=True, kw_only=True):
    """A tenant's own settings.

    Attributes:
        auto_provision: Devices register themselves with the provisioning key.
        messages_per_second: What all devices together may send; null: as the server's options say.
        messages_burst: What they may send at once; the same.
    """

    tenant_id: str
    name: str
    status: Status
    contact: str | None
    auto_provision: bool
    has_provisioning_key: bool
    messages_per_second: float | None
    messages_burst: int | None
    version: int
    created_at: datetime
    updated_at: datetime


class Tenant(OwnTenant, frozen=True, kw_only=True):
    """A tenant as its operator sees it.

    Attributes:
        devices: How many take a place.
        device_limit: How many places all subscriptions have with which devices may send; null: no limit.
        subscriptions: How many of these there are.
        term_end: When the first of them ends; null: none does.
    """

    devices: int
    device_limit: int | None
    subscriptions: int
    term_end: datetime | None


class Tenants(Struct, frozen=True, kw_only=True):
    """A page of tenants, by their ids."""

    tenants: list[Tenant]
    next_cursor: str | None


class TenantBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tenant that is to be made.

    Attributes:
        device_limit: Of its MAIN subscription, which has no end; null: no limit.
        subscription: Its first subscription instead, of any kind but ADDON.
    """

    tenant_id: TenantId
    name: Words
    contact: Words | None = None
    device_limit: Limit | None = None
    subscription: SubscriptionBody | None = None
    messages_per_second: Rate | None = None
    messages_burst: Burst | None = None


class TenantChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of a tenant is to be another; what is left out stays.

    Attributes:
        status: ACTIVE also brings a deleted one back, without its tokens.
    """

    name: Words | UnsetType = UNSET
    status: Literal["ACTIVE", "SUSPENDED"] | UnsetType = UNSET
    contact: Words | UnsetType | None = UNSET
    messages_per_second: Rate | UnsetType | None = UNSET
    messages_burst: Burst | UnsetType | None = UNSET


class OwnTenantChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a tenant may change of its own settings."""

    auto_provision: bool | UnsetType = UNSET


class ProvisioningKey(Struct, frozen=True, kw_only=True):
    """A new key.

    Attributes:
        provisioning_key: The key itself, shown here and never again.
    """

    provisioning_key: str


def tenant_of(row: Record) -> Tenant:
    """Return how the operator is shown a tenant."""
    return Tenant(**{name: row[name] for name in Tenant.__struct_fields__})


def own_tenant_of(row: Record) -> OwnTenant:
    """Return how a tenant is shown itself."""
    return OwnTenant(**{name: row[name] for name in OwnTenant.__struct_fields__})


def given(body: Struct) -> dict[str, Any]:
    """Return the fields of a body that were not left out."""
    values = ((name, getattr(body, name)) for name in body.__struct_fields__)
    return {name: value for name, value in values if value is not UNSET}
