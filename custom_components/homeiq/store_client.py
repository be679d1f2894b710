"""What the app's store of devices is asked and told; every method raises an ``AppError``, and nothing else.

While the store is down the app answers that it is busy, while it is switched off that it has nothing (``NotFound``).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from .client import MISSHAPEN, AppClient
from .device_health import DeviceHealth
from .errors import NotHomeIQ
from .findings import Finding, FindingChange, Insights

LEAST_SEVERITY: Final = 2
_PAGE: Final = 200
_DEVICE_PAGE: Final = 500
_MOST_FINDINGS: Final = 1_000

type Changes = tuple[Sequence[FindingChange], int]


class StoreClient:
    """The part of the app's API that is about devices."""

    def __init__(self, client: AppClient) -> None:
        self._client = client

    async def registry_revision(self, source: str) -> int | None:
        """Return the revision of the registries that the app has of a Home Assistant, None when it has none."""
        answer = await self._get("registry", source=source)
        return answer.get("revision") if isinstance(answer, dict) else None

    async def send_registry(self, body: bytes) -> None:
        """Hand over a part of a snapshot, or a diff.

        Raises:
            StaleRevision: The app has other registries than those that this builds on.
        """
        await self._client.ask("POST", "api/v1/registry", body=body)

    async def report(self, body: bytes) -> None:
        """Tell when entities last reported, and what became of commands."""
        await self._client.ask("POST", "api/v1/reported", body=body)

    async def insights(self) -> Insights:
        """Return the figures, with the findings that a person may have to see to: the newest 1,000 of them."""
        answer = await self._get("insights")
        findings = await self.findings(state="open", min_severity=str(LEAST_SEVERITY))
        try:
            return Insights.from_json(answer, tuple(one for one in findings if one.state == "open"))
        except MISSHAPEN as err:
            raise NotHomeIQ(f"the answer does not sum up the devices: {err!r}") from err

    async def findings(self, **query: str) -> list[Finding]:
        """Return the findings that a query selects, newest first, 1,000 at most."""
        found: list[Finding] = []
        cursor: dict[str, str] = {}
        while len(found) < _MOST_FINDINGS:
            answer = await self._get("findings", limit=str(_PAGE), **query, **cursor)
            try:
                found += [Finding.from_json(one) for one in answer["findings"]]
                cursor = {"cursor": str(answer["next_cursor"])}
                if answer["next_cursor"] is None:
                    break
            except MISSHAPEN as err:
                raise NotHomeIQ(f"the answer does not list findings: {err!r}") from err
        return found

    async def finding_changes(self, after: int) -> Changes:
        """Return what happened to findings after a cursor, oldest first, and the cursor behind it."""
        answer = await self._get("finding-changes", after=str(after), limit=str(_PAGE))
        try:
            return [FindingChange.from_json(one) for one in answer["changes"]], int(answer["cursor"])
        except MISSHAPEN as err:
            raise NotHomeIQ(f"the answer does not list changes: {err!r}") from err

    async def mute(self, finding_id: str, until_us: int | None) -> None:
        """Mute a finding, and the same about the same device when it comes back; None for ever."""
        await self._tell(finding_id, "mute", {"until_us": until_us})

    async def unmute(self, finding_id: str) -> None:
        """Take a mute back."""
        await self._tell(finding_id, "unmute", {})

    async def acknowledge(self, finding_id: str) -> None:
        """Say that somebody knows of a finding."""
        await self._tell(finding_id, "acknowledge", {})

    async def devices(self) -> list[DeviceHealth]:
        """Return all devices, page by page."""
        found: list[DeviceHealth] = []
        cursor: dict[str, str] = {}
        while True:
            answer = await self._get("devices", limit=str(_DEVICE_PAGE), **cursor)
            try:
                found += [DeviceHealth.from_json(one) for one in answer["devices"]]
                if (following := answer["next_cursor"]) is None:
                    return found
            except MISSHAPEN as err:
                raise NotHomeIQ(f"the answer does not list devices: {err!r}") from err
            cursor = {"cursor": str(following)}

    async def device(self, device_id: str) -> dict[str, Any]:
        """Return everything that the app knows of a device."""
        answer = await self._get(f"devices/{device_id}")
        if not isinstance(answer, dict):
            raise NotHomeIQ("the answer does not describe a device")
        return answer

    async def _tell(self, finding_id: str, what: str, told: Mapping[str, object]) -> None:
        await self._client.ask("POST", f"api/v1/findings/{finding_id}/{what}", body=json.dumps(told).encode())

    async def _get(self, path: str, **query: str) -> Any:  # noqa: ANN401 - any JSON value; callers check the shape
        _, answer = await self._client.ask("GET", f"api/v1/{path}", query=query)
        return answer
