"""What the app is asked about devices that send to it; every method raises an ``AppError``, and nothing else.

The questions with ``wait_s`` are answered as soon as there is something to tell, and empty after that time. An app
without device ingest answers that it has no such thing (``NotFound``). Cursors are the app's own.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .alerts import AlertChange
from .client import MISSHAPEN, AppClient
from .errors import NotHomeIQ
from .ingest_device import GONE, IngestDevice

PAGE: Final = 500

# Of shapes one level down: a list where an object belongs has no ``get``.
_MISSHAPEN: Final = (*MISSHAPEN, AttributeError)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something that the app wants to be an event of Home Assistant.

    Attributes:
        delivery_id: As the app tells it, for the answer that it has arrived.
        payload: The event's data.
    """

    delivery_id: int | str
    payload: Mapping[str, Any]


class IngestClient:
    """The part of the app's API that is about devices that send to it, and their alerts."""

    def __init__(self, client: AppClient) -> None:
        self._client = client

    async def device_states(self, after: str | None, wait_s: int) -> tuple[Sequence[IngestDevice], str]:
        """Return the devices that changed after a cursor, all that there are for None, and the cursor behind them.

        There are ``PAGE`` of them at most; when there are as many, the next ones follow at the cursor.
        """
        answer = await self._follow("device-states", after, wait_s)
        try:
            return [IngestDevice.from_json(one) for one in answer["devices"]], str(answer["cursor"])
        except _MISSHAPEN as err:
            raise NotHomeIQ(f"the answer does not list the states of devices: {err!r}") from err

    async def device_ids(self) -> set[str]:
        """Return the ids of all devices that are devices of the home."""
        found: set[str] = set()
        query = {"limit": str(PAGE)}
        while True:
            _, answer = await self._client.ask("GET", "tenant/v1/devices", query=query)
            try:
                found.update(str(one["device_id"]) for one in answer["devices"] if one["status"] not in GONE)
                if (following := answer["next_cursor"]) is None:
                    return found
            except _MISSHAPEN as err:
                raise NotHomeIQ(f"the answer does not list devices: {err!r}") from err
            query["cursor"] = str(following)

    async def alert_changes(self, after: str | None, wait_s: int) -> tuple[Sequence[AlertChange], str]:
        """Return what happened to alerts after a cursor, oldest first, and the cursor behind; for None only that."""
        answer = await self._follow("alert-changes", after, wait_s)
        try:
            return [AlertChange.from_json(one) for one in answer["changes"]], str(answer["cursor"])
        except _MISSHAPEN as err:
            raise NotHomeIQ(f"the answer does not list changes of alerts: {err!r}") from err

    async def deliveries(self, wait_s: int) -> Sequence[Delivery]:
        """Return what waits to be an event of Home Assistant."""
        query = {"wait_s": str(wait_s)}
        _, answer = await self._client.ask("GET", "tenant/v1/home-assistant-events", query=query, wait_s=wait_s)
        try:
            return [Delivery(one["id"], dict(one["payload"])) for one in answer["events"]]
        except _MISSHAPEN as err:
            raise NotHomeIQ(f"the answer does not list events: {err!r}") from err

    async def delivered(self, ids: Sequence[int | str]) -> None:
        """Tell what has arrived."""
        body = json.dumps({"ids": list(ids)}).encode()
        await self._client.ask("POST", "tenant/v1/home-assistant-events/delivered", body=body)

    async def _follow(self, noun: str, after: str | None, wait_s: int) -> Any:  # noqa: ANN401 - any JSON value
        query = {"limit": str(PAGE), "wait_s": str(wait_s)} | ({} if after is None else {"after": after})
        _, answer = await self._client.ask("GET", f"tenant/v1/{noun}", query=query, wait_s=wait_s)
        return answer
