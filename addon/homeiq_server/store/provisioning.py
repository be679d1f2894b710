"""Registers devices by their first message, as far as their tenant's subscriptions have places for them."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from .enrolment import Enrolment, enrol
from .known import KnownDevice, device_of, load
from .places import Refusal, lock, why_none
from .pool import Conn

_NONE: Final = frozenset[str]()


class NewDevice(Struct, frozen=True, kw_only=True):
    """A device whose sender has shown the tenant's provisioning key."""

    device_id: str
    site_id: str
    name: str | None = None


class Provisioned(Struct, frozen=True, kw_only=True):
    """What became of the wish.

    Attributes:
        devices: By id, those that are registered now: new ones, and those that were there, as they are.
        new: The ids of those that were registered by this.
        refused: Why the others are not.
    """

    devices: dict[str, KnownDevice]
    new: frozenset[str]
    refused: dict[str, Refusal]


async def provision(conn: Conn, tenant_id: str, wanted: Sequence[NewDevice]) -> Provisioned:
    """Register the devices that are not there yet; whatever happens at once elsewhere, no place is given twice.

    A device that was revoked, suspended or deleted is there, and stays what it is.

    Args:
        conn: In a transaction of the tenant, which exists; it holds the subscriptions until it ends.
        tenant_id: The tenant, which allows it.
        wanted: Of a device that is named twice the first counts. Places are given in this order.
    """
    by_id: dict[str, NewDevice] = {}
    for each in wanted:
        by_id.setdefault(each.device_id, each)
    _, devices = await load(conn, tenant_id, list(by_id))
    missing = [each for each in by_id.values() if each.device_id not in devices]
    if not missing:
        return Provisioned(devices=devices, new=_NONE, refused={})
    places = await lock(conn, tenant_id)
    rows = await enrol(conn, tenant_id, places, [_enrolment(each) for each in missing])
    new = {
        device_id: device_of(tenant_id, row, places.statuses[row["subscription_id"]]) for device_id, row in rows.items()
    }
    without = [each.device_id for each in missing if each.device_id not in new]
    refused: dict[str, Refusal] = {}
    if without:
        _, meanwhile = await load(conn, tenant_id, without)  # registered by somebody else before the lock was ours
        devices |= meanwhile
        why = await why_none(conn, tenant_id, places)
        refused = {device_id: why for device_id in without if device_id not in meanwhile}
    return Provisioned(devices=devices | new, new=frozenset(new), refused=refused)


def _enrolment(each: NewDevice) -> Enrolment:
    return Enrolment(device_id=each.device_id, site_id=each.site_id, name=each.name, provisioned_by="key")
