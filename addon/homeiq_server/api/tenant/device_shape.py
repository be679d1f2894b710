"""The shapes of devices in the tenant API."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from asyncpg import Record
from msgspec import UNSET, Meta, Struct, UnsetType, field

from homeiq_server.api.parameters import CursorText, PageSize, Words
from homeiq_server.store.known import DeviceStatus, ProvisionedBy
from homeiq_server.store.places import Refusal

# "$" is also before a newline at the end, in Python alone.
type DeviceId = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$(?!\n)", description="Letters, digits, and _ . : -")
]
type SiteId = DeviceId
type Label = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$(?!\n)")]
type HeartbeatS = Annotated[int, Meta(ge=1, le=31_536_000, description="Seconds between two signs of life")]

_LARGEST: Final = 1_000_000_000_000_000
type _Number = Annotated[int, Meta(ge=-_LARGEST, le=_LARGEST)] | Annotated[float, Meta(ge=-_LARGEST, le=_LARGEST)]
type _Text = Annotated[str, Meta(max_length=1_000, pattern=r"^[^\x00]*$")]
type Metadata = Annotated[
    dict[Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00]*$")], _Text | _Number | bool | None],
    Meta(max_length=50, description="Facts of the tenant's own, of which nothing is made"),
]


class DevicesQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which devices to list; deleted ones only when asked for by ``status``."""

    status: DeviceStatus | None = None
    site_id: SiteId | None = None
    subscription_id: UUID | None = None
    search: Words | None = None
    limit: PageSize = 100
    cursor: CursorText | None = None


class DeviceToMake(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device that is to be registered."""

    device_id: DeviceId
    site_id: SiteId = "home"
    name: Label | None = None
    heartbeat_s: HeartbeatS | None = None
    manufacturer: Label | None = None
    model: Label | None = None
    sw_version: Label | None = None
    metadata: Metadata = field(default_factory=dict)


class NewDeviceBody(DeviceToMake, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device, where it takes a place, and whether it gets its token now or for an activation code."""

    subscription_id: UUID | None = None
    token: bool = False


class NewDevicesBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Devices that are registered each for itself, as far as there are places."""

    devices: Annotated[list[DeviceToMake], Meta(min_length=1, max_length=500)]
    subscription_id: UUID | None = None
    token: bool = False


class DevicePatch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to change; null takes a value away, what is not named stays."""

    name: Label | UnsetType | None = UNSET
    site_id: SiteId | UnsetType = UNSET
    heartbeat_s: HeartbeatS | UnsetType | None = UNSET
    manufacturer: Label | UnsetType | None = UNSET
    model: Label | UnsetType | None = UNSET
    sw_version: Label | UnsetType | None = UNSET
    metadata: Metadata | UnsetType = UNSET


class TenantDevice(Struct, frozen=True, kw_only=True):
    """A device; ``activation_expires_at`` while a code is good for a token."""

    device_id: str
    name: str | None
    site_id: str
    status: DeviceStatus
    subscription_id: UUID | None
    provisioned_by: ProvisionedBy
    has_token: bool
    activation_expires_at: datetime | None
    heartbeat_s: int | None
    manufacturer: str | None
    model: str | None
    sw_version: str | None
    metadata: Mapping[str, str | float | bool | None]
    version: int
    created_at: datetime
    activated_at: datetime | None
    updated_at: datetime
    last_seen_at: datetime | None


class DevicesPage(Struct, frozen=True, kw_only=True):
    """A page of devices by id."""

    devices: Sequence[TenantDevice]
    next_cursor: str | None


class MadeDevice(Struct, frozen=True, kw_only=True):
    """A new device, with the one thing that is never shown again: its token, or the code that is good for one."""

    device: TenantDevice
    token: str | None = None
    activation_code: str | None = None


class MadeItem(Struct, frozen=True, kw_only=True):
    """What became of one of several; ``index`` is its place in the request."""

    index: int
    device_id: str
    status: Literal["CREATED", "CONFLICT"] | Refusal
    token: str | None = None
    activation_code: str | None = None
    activation_expires_at: datetime | None = None


class MadeDevices(Struct, frozen=True, kw_only=True):
    """What became of several, in the order of the request."""

    created: int
    results: Sequence[MadeItem]


class DeviceToken(Struct, frozen=True, kw_only=True):
    """A token, which is never shown again."""

    device_id: str
    token: str


class ActivationCode(Struct, frozen=True, kw_only=True):
    """A code that is good for a token once, and is never shown again."""

    device_id: str
    activation_code: str
    activation_expires_at: datetime


def device_of(row: Record) -> TenantDevice:
    """Return how a row is shown."""
    return TenantDevice(
        device_id=row["device_id"],
        name=row["name"],
        site_id=row["site_id"],
        status=row["status"],
        subscription_id=row["subscription_id"],
        provisioned_by=row["provisioned_by"],
        has_token=row["token_hash"] is not None,
        activation_expires_at=row["activation_expires_at"],
        heartbeat_s=row["heartbeat_s"],
        manufacturer=row["manufacturer"],
        model=row["model"],
        sw_version=row["sw_version"],
        metadata=row["metadata"],
        version=row["version"],
        created_at=row["created_at"],
        activated_at=row["activated_at"],
        updated_at=row["updated_at"],
        last_seen_at=row.get("last_seen_at"),
    )
