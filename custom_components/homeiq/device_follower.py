"""Keeps what is known of the devices that send to the app: all of them once, then those that change."""

from .following import WAIT_S
from .ingest_client import PAGE, IngestClient
from .ingest_devices import IngestDevices


class DeviceFollower:
    """Asks for devices. After any failure it asks for all of them: the app may be another one than before."""

    def __init__(self, client: IngestClient, devices: IngestDevices) -> None:
        self._client = client
        self._devices = devices
        self._cursor: str | None = None

    async def ask(self) -> None:
        """Ask once.

        Raises:
            AppError: Nothing is known of what has changed since.
        """
        cursor, self._cursor = self._cursor, None
        if cursor is None:
            self._cursor = await self._read_all()
        else:
            changed, behind = await self._client.device_states(cursor, WAIT_S)
            await self._devices.async_apply(changed)
            self._cursor = behind

    async def _read_all(self) -> str:
        """Take in all that there are, and remove what is none of them; returns the cursor behind.

        Who has read all changes may have been told of a device later, while the app was writing. So those that seem to
        be gone are looked for in the list of all.
        """
        found: set[str] = set()
        cursor = None
        while True:
            some, behind = await self._client.device_states(cursor, 0)
            await self._devices.async_apply(some)
            found.update(one.device_id for one in some if one.is_shown)
            found.difference_update(one.device_id for one in some if not one.is_shown)
            if len(some) < PAGE or behind == cursor:
                if self._devices.async_known() - found:
                    await self._devices.async_keep_only(found | await self._client.device_ids())
                return behind
            cursor = behind
