"""The database that devices and findings are kept in, embedded or the user's own: how it is reached, and how it is."""

import logging
import ssl

from homeiq_server.embedded.child import State
from homeiq_server.embedded.postgres import Postgres
from homeiq_server.errors import InvalidOptions, Misconfigured
from homeiq_server.options import Options
from homeiq_server.status.shape import StoreStatus
from homeiq_server.store.store import Access, Store

_LOGGER = logging.getLogger(__name__)


class DeviceDatabase:
    """Where devices and findings are kept.

    Attributes:
        child: The embedded PostgreSQL, to be kept running by the owner of this; None when there is none.
        store: The way to it, to be kept open by the owner of this.
    """

    def __init__(self, store: Store, child: Postgres | None = None, *, embedded: bool) -> None:
        self.store = store
        self.child = child
        self._embedded = embedded

    def status(self) -> StoreStatus:
        """Return how it is now; no I/O."""
        state, error = self.store.state, self.store.error
        if self.child and self.child.state is not State.RUNNING:  # it knows why, the store only that nobody answers
            state, error = ("unreachable" if self.child.error else "starting"), self.child.error
        return StoreStatus(
            state=state,
            embedded=self._embedded,
            version=self.store.version,
            schema_version=self.store.schema_version,
            error=error,
        )


def open_device_database(options: Options) -> DeviceDatabase:
    """Return the database, neither started nor connected to yet.

    That there is no PostgreSQL to embed is told by its status, because history does not need it.

    Raises:
        InvalidOptions: The certificates cannot be used.
    """
    if options.database_url and options.database_owner_url:
        access = Access(
            url=options.database_url.reveal(),
            owner_url=options.database_owner_url.reveal(),
            tls=_tls(options),
        )
        return DeviceDatabase(Store(access), embedded=False)
    try:
        child = Postgres(data_dir=options.data_dir, programs=options.postgresql)
    except (InvalidOptions, Misconfigured) as err:
        return _missing(str(err))
    access = Access(url=child.url, owner_url=child.owner_url)
    return DeviceDatabase(Store(access, started=child.ready), child, embedded=True)


def _missing(why: str) -> DeviceDatabase:
    """Return one that can never be reached, with the reason."""

    async def refuse() -> None:
        raise Misconfigured(why)

    return DeviceDatabase(Store(Access(url="", owner_url=""), started=refuse), embedded=True)


def _tls(options: Options) -> ssl.SSLContext | None:
    """Return what a server's certificate is checked against; None when nobody asks for one."""
    if not options.database_verify_ssl:
        _LOGGER.warning("the certificate of database_url is not checked: whoever answers there gets its password")
        return None
    try:
        return ssl.create_default_context(cafile=options.database_ca_cert)
    except (OSError, ValueError) as err:
        raise InvalidOptions(
            f"option database_ca_cert: no certificates can be read from {options.database_ca_cert}: {err}"
        ) from err
