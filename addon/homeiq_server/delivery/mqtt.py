"""Alerts as messages of the MQTT broker."""

import asyncio
from typing import Final, Protocol

import msgspec

from homeiq_server.errors import Rejected, RetryLater

from .message import Message, Outcome
from .topic import topic_of

_TIMEOUT_S: Final = 15


class Publish(Protocol):
    """Gives a message to the broker; returns when it has it."""

    async def __call__(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Publish.

        Raises:
            RetryLater: The broker is away.
        """
        ...


class Mqtt:
    """Publishes messages; without a broker none goes."""

    def __init__(self, publish: Publish | None) -> None:
        self._publish = publish

    async def send(self, message: Message) -> Outcome:
        """Publish it once."""
        if self._publish is None:
            return Outcome(error="there is no MQTT broker: mqtt_url is not set")
        config = message.config
        try:
            topic = topic_of(str(config["topic"]), message.tenant_id, message.payload)
            async with asyncio.timeout(_TIMEOUT_S):
                await self._publish(
                    topic, msgspec.json.encode(message.payload), qos=config["qos"], retain=config["retain"]
                )
        except Rejected as err:
            return Outcome.refused(str(err))
        except RetryLater as err:
            return Outcome(error=str(err), after_s=err.after)
        except TimeoutError:
            return Outcome(error=f"the broker took longer than {_TIMEOUT_S} seconds")
        return Outcome(ok=True)
