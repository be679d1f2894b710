"""``/ingest/v1/activate`` and ``/ingest/v1/provision``: how a device comes by its token, with nothing but its proof.

Whoever has no proof learns nothing: the answer is the same for a tenant or device that is not there.
"""

import time
from collections.abc import Callable
from typing import Annotated, Final

from aiohttp import web
from msgspec import Meta, Struct, json

from homeiq_server.buckets import Buckets
from homeiq_server.credentials import digest, matches, new_token, normal_code
from homeiq_server.errors import Conflict, Forbidden, TooMany
from homeiq_server.store import device_proofs
from homeiq_server.store.known import KnownDevice, KnownTenant, load
from homeiq_server.store.pool import Conn
from homeiq_server.store.provisioning import NewDevice, provision
from homeiq_server.wire import read_body

from .body import body_of
from .store import STORE
from .tenant.device_making import refused
from .tenant.device_shape import DeviceId, Label, SiteId

type _TenantId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$(?!\n)")]
type _Secret = Annotated[str, Meta(min_length=1, max_length=255)]

_BAD_CODE: Final = "the activation code is wrong, used up or expired: ask for a new one"
_BAD_KEY: Final = "the provisioning key is wrong, or devices may not register themselves with it"
_PER_PEER: Final = (5.0, 50.0)  # attempts a second, and at once
_PER_DEVICE: Final = (0.2, 5.0)  # a code of 44 random bits is not found at this rate within its hour


class Activate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A code in exchange for a token."""

    tenant_id: _TenantId
    device_id: DeviceId
    activation_code: _Secret


class Provision(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tenant's key in exchange for a token; ``token`` is the device's own, if it had one."""

    tenant_id: _TenantId
    device_id: DeviceId
    provisioning_key: _Secret
    site_id: SiteId = "home"
    name: Label | None = None
    token: _Secret | None = None


class Given(Struct, frozen=True, kw_only=True):
    """The token, which is never shown again."""

    tenant_id: str
    device_id: str
    token: str


class Attempts:
    """How often somebody may try; who succeeds has not tried."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._peers, self._devices = Buckets(clock=clock), Buckets(clock=clock)

    def of_peer(self, peer: str | None) -> None:
        """Count an attempt from an address.

        Raises:
            TooMany: There were too many.
        """
        _pass(self._peers.take(peer, *_PER_PEER))

    def of_device(self, tenant_id: str, device_id: str) -> None:
        """Count an attempt for a device, whether it exists or not.

        Raises:
            TooMany: There were too many.
        """
        _pass(self._devices.take((tenant_id, device_id), *_PER_DEVICE))

    def succeeded(self, peer: str | None, tenant_id: str, device_id: str) -> None:
        """Take both back."""
        self._peers.refund(peer)
        self._devices.refund((tenant_id, device_id))


def _pass(wait_s: float) -> None:
    if wait_s:
        raise TooMany("too many attempts: wait as long as Retry-After says", after=wait_s)


_ATTEMPTS: Final = web.AppKey("provisioning attempts", Attempts)


async def post_activate(request: web.Request) -> web.Response:
    """Answer 200 with a token, once for each code; 403 to whoever has none that is good."""
    attempts = request.app[_ATTEMPTS]
    attempts.of_peer(request.remote)
    async with body_of(request) as body:
        asked = read_body(Activate, body)
    attempts.of_device(asked.tenant_id, asked.device_id)
    token, code = new_token("device"), digest(normal_code(asked.activation_code))
    async with request.app[STORE].tenant(asked.tenant_id) as conn:
        if not await device_proofs.activate(conn, asked.tenant_id, asked.device_id, code, digest(token)):
            raise Forbidden(_BAD_CODE)
    attempts.succeeded(request.remote, asked.tenant_id, asked.device_id)
    return _given(200, asked, token)


async def post_provision(request: web.Request) -> web.Response:
    """Answer 201 with the token of a device that is new, 200 with a new one of a device that has proved itself."""
    attempts = request.app[_ATTEMPTS]
    attempts.of_peer(request.remote)
    async with body_of(request) as body:
        asked = read_body(Provision, body)
    attempts.of_device(asked.tenant_id, asked.device_id)
    token = new_token("device")
    async with request.app[STORE].tenant(asked.tenant_id) as conn:
        is_new = await _provision(conn, asked, digest(token))
    attempts.succeeded(request.remote, asked.tenant_id, asked.device_id)
    return _given(201 if is_new else 200, asked, token)


async def _provision(conn: Conn, asked: Provision, token_hash: bytes) -> bool:
    """Give the device this token, and tell whether it is new."""
    tenant, devices = await load(conn, asked.tenant_id, [asked.device_id])
    if not _allows(tenant, asked.provisioning_key):
        raise Forbidden(_BAD_KEY)
    is_new = False
    if (device := devices.get(asked.device_id)) is None:
        wanted = NewDevice(device_id=asked.device_id, site_id=asked.site_id, name=asked.name)
        done = await provision(conn, asked.tenant_id, [wanted])
        if reason := done.refused.get(asked.device_id):
            raise Conflict(refused(reason))
        device, is_new = done.devices[asked.device_id], bool(done.new)
    _must_be_proven(device, asked.token)
    if not await device_proofs.replace(conn, asked.tenant_id, asked.device_id, device.token_hash, token_hash):
        raise Conflict("somebody else was given a token for this device at the same time: that one is good")
    return is_new


def _allows(tenant: KnownTenant | None, key: str) -> bool:
    if tenant is None or tenant.status != "ACTIVE" or not tenant.auto_provision:
        return False
    return matches(key, tenant.provisioning_key_hash)


def _must_be_proven(device: KnownDevice, token: str | None) -> None:
    if device.status != "ACTIVE":
        raise Forbidden(f"the device is {device.status}: its tenant must let it in")
    if device.token_hash is None:
        if device.provisioned_by != "key":
            raise Forbidden("the device has no token yet: use the activation code that its tenant makes for it")
    elif token is None or not matches(token, device.token_hash):
        raise Forbidden("the device has a token: show it as token, or use an activation code that its tenant makes")


def _given(status: int, asked: Activate | Provision, token: str) -> web.Response:
    given = Given(tenant_id=asked.tenant_id, device_id=asked.device_id, token=token)
    return web.Response(
        status=status,
        body=json.encode(given),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def add_routes(app: web.Application, *, clock: Callable[[], float] = time.monotonic) -> None:
    """Serve both from the app's store; whoever asks needs no token of a tenant."""
    app[_ATTEMPTS] = Attempts(clock)
    app.router.add_post("/ingest/v1/activate", post_activate)
    app.router.add_post("/ingest/v1/provision", post_provision)
