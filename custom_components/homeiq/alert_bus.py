"""Fires the alerts that the app's routes send to Home Assistant as events on the bus."""

from homeassistant.core import HomeAssistant

from .const import EVENT_ALERT
from .following import WAIT_S
from .ingest_client import IngestClient


class AlertBus:
    """Takes what waits, fires it, and tells the app. What was fired is not fired again when the app has not heard."""

    def __init__(self, hass: HomeAssistant, client: IngestClient) -> None:
        self.fired = 0
        self._hass = hass
        self._client = client
        self._unacknowledged: set[int | str] = set()

    async def ask(self) -> None:
        """Ask once.

        Raises:
            AppError: The app has not told, or not heard.
        """
        events = await self._client.deliveries(WAIT_S)
        for event in events:
            if event.delivery_id not in self._unacknowledged:
                self._hass.bus.async_fire(EVENT_ALERT, dict(event.payload))
                self._unacknowledged.add(event.delivery_id)
                self.fired += 1
        if events:
            await self._client.delivered([event.delivery_id for event in events])
            self._unacknowledged.clear()
