"""Every way out, behind one call."""

import logging
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from .mail import Email, Mail
from .message import Message, Outcome, Way
from .mqtt import Mqtt, Publish
from .webhook import Webhook

_LOGGER = logging.getLogger(__name__)


class Ways:
    """Sends each message as its integration wants it; to be entered before use, and left once.

    Args:
        publish: Gives messages to the MQTT broker; None: there is none.
        mail: The mail server; None: there is none.
        allowed: Addresses and networks that webhooks may be sent to whatever they are.
        webhook: Posts, in place of one that knows ``allowed`` alone.

    Attributes:
        faults: How many times a fault of our own kept a message from being sent; the log tells more.
    """

    def __init__(
        self,
        *,
        publish: Publish | None = None,
        mail: Mail | None = None,
        allowed: Sequence[str] = (),
        webhook: Webhook | None = None,
    ) -> None:
        self.faults = 0
        self._webhook = webhook or Webhook(allowed)
        self._ways: Mapping[str, Way] = {"webhook": self._webhook, "mqtt": Mqtt(publish), "email": Email(mail)}

    async def __aenter__(self) -> Self:
        await self._webhook.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._webhook.__aexit__(kind, error, trace)

    async def send(self, message: Message) -> Outcome:
        """Send it once; never raises but when cancelled."""
        if (way := self._ways.get(message.kind)) is None:
            return Outcome.refused(f"nothing is sent by {message.kind}: it is fetched")
        try:
            return await way.send(message)
        except Exception:
            self.faults += 1
            _LOGGER.exception("%s could not be sent by %s", message.message_id, message.kind)
            return Outcome(error="a fault of the server: its log tells more")
