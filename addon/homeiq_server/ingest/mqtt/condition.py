"""How the link is: for the status, and for the log when it changes."""

import logging
from datetime import UTC, datetime
from typing import Literal

from .broker import Broker

_LOGGER = logging.getLogger(__name__)


class Condition:
    """As of now.

    Attributes:
        state: See ``MqttStatus``.
        address: Of the broker, without credentials; empty when there is none.
        protocol: Of MQTT; None until connected.
        error: Why it is not connected.
        connected_since: None while it is not.
    """

    def __init__(self) -> None:
        self.state: Literal["off", "connecting", "connected", "refused"] = "off"
        self.address = ""
        self.protocol: str | None = None
        self.error: str | None = None
        self.connected_since: datetime | None = None

    def turn_off(self) -> None:
        """There is no broker."""
        self.state, self.address, self.error = "off", "", None

    def try_to(self, broker: Broker) -> None:
        """A connection is being made; who was refused stays so until it is there."""
        self.address = broker.address
        if self.state != "refused":
            self.state = "connecting"

    def connect(self, version: str) -> None:
        """The connection is there."""
        self.state, self.protocol, self.error = "connected", version, None
        self.connected_since = datetime.now(UTC)
        _LOGGER.info("connected to the MQTT broker at %s (MQTT %s)", self.address, version)

    def fail(self, state: Literal["connecting", "refused"], err: Exception) -> None:
        """It is not, or not any more."""
        if self.error != str(err):
            _LOGGER.warning("no connection to the MQTT broker at %s: %s; trying on", self.address or "?", err)
        self.state, self.error, self.protocol = state, str(err), None
