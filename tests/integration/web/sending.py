"""A home as its devices and its owner's programs see it, for tests of the page."""

from http import HTTPStatus
from typing import Any

from tests.unit.homeiq_server.server_builders import Client, eventually

TENANT = "/tenant/v1"


class Home:
    """What a test does beside the browser; each call fails the test when it is refused."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.page = client.page

    async def is_connected(self) -> bool:
        """Tell whether the store is open, and the broker has let us in."""
        status = await self.client.status()
        return bool(status["store"]["state"] == "ok" and status["ingest"]["mqtt"]["state"] == "connected")

    async def says_why_there_is_no_broker(self) -> bool:
        """Tell whether the store is open, and an attempt to connect has failed."""
        status = await self.client.status()
        return bool(status["store"]["state"] == "ok" and status["ingest"]["mqtt"]["error"])

    async def made(self, noun: str, **fields: object) -> Any:  # noqa: ANN401 - JSON
        """Make a thing of the tenant API."""
        answer = await self.client.post(fields, f"{TENANT}/{noun}")
        assert answer.status < HTTPStatus.BAD_REQUEST, answer.body
        return answer.body

    async def asked(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Ask the tenant API."""
        answer = await self.client.get(f"{TENANT}/{path}")
        assert answer.status == HTTPStatus.OK, answer.body
        return answer.body

    async def device(self, device_id: str, **fields: object) -> str:
        """Add a device; returns its token."""
        token: str = (await self.made("devices", device_id=device_id, token=True, **fields))["token"]
        return token

    async def sent(self, device_id: str, token: str, body: object) -> int:
        """Send a message as a device; returns the status of the answer."""
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{self.client.api}/ingest/v1/tenant/home/device/{device_id}/telemetry"
        if isinstance(body, bytes):
            return (await self.client.ask("POST", url, data=body, headers=headers)).status
        return (await self.client.ask("POST", url, json=body, headers=headers)).status

    async def measured(self, device_id: str, token: str, **metrics: float | bool | str) -> None:
        """Send values, and wait until they are known."""
        assert await self.sent(device_id, token, {"metrics": metrics}) == HTTPStatus.ACCEPTED

        async def is_known() -> bool:
            devices = (await self.asked("device-states"))["devices"]
            return any(one["device_id"] == device_id and one["metrics"].keys() >= metrics.keys() for one in devices)

        await eventually(is_known)

    async def has_counted(self) -> bool:
        """Tell whether what was sent stands in the usage, which takes seconds."""
        return bool((await self.asked("usage"))["total"]["refused"])

    async def has_alert(self) -> bool:
        """Tell whether an alert is open."""
        return bool((await self.asked("alerts?state=open"))["alerts"])
