"""Who is told of which message."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from homeiq_server.ingest.message import Inbound

from . import filters
from .backlog import Backlog
from .came import Came
from .reception import Key, Reception, key_of

_LOGGER = logging.getLogger(__name__)

type Handler = Callable[[str, bytes, bool], None]
"""Is told of topic, payload, and whether the broker had retained it."""


class Dispatch:
    """Gives messages of devices to the connection's reception, and others to their handlers; counts what it drops.

    Attributes:
        received: All that came.
        retained: Messages of devices that were ignored because the broker had only retained them.
        strays: Messages that no subscription of ours asks for any more, and were dropped.
        faults: How many times a handler failed.
    """

    def __init__(self, other: Mapping[str, Handler], backlog: Backlog, *, echo_topic: str) -> None:
        """Begin.

        Args:
            other: The handlers of other topics, by filter.
            backlog: Is told of each message, and knows whether it had waited.
            echo_topic: Of messages to ourselves, which are not counted.
        """
        self._other = dict(other)
        self._backlog = backlog
        self._echo_topic = echo_topic
        self._known: Counter[Key] = Counter()
        self.received = self.retained = self.strays = self.faults = 0

    @property
    def filters(self) -> Iterable[str]:
        """Those of other topics."""
        return self._other

    def expect(self, known: Iterable[Key]) -> None:
        """Note what was kept when its connection was gone already: the broker will send each of it once more."""
        self._known = Counter(known)

    def tell(self, reception: Reception, came: Came) -> asyncio.Future[int]:
        """Tell whom it concerns; return what ends with 0 when the message may be acknowledged. Never raises."""
        if came.topic == self._echo_topic:
            self._backlog.returned(came.payload)
            return _done()
        self.received += 1
        if not filters.is_of_devices(came.topic):
            self._tell_other(came)
            return _done()
        if came.retained:
            self.retained += 1
            return _done()
        message = Inbound(
            transport="mqtt",
            topic=came.topic,
            payload=came.payload,
            token=came.token,
            received_us=time.time_ns() // 1_000,
            late=self._backlog.came(reception.held) or came.sent_before,
        )
        if came.sent_before and self._is_known(message):
            return _done()
        return reception.hold(message, again=came.again)

    def _is_known(self, message: Inbound) -> bool:
        key = key_of(message)
        if not (left := self._known.pop(key, 0)):
            return False
        if left > 1:
            self._known[key] = left - 1
        return True

    def _tell_other(self, came: Came) -> None:
        told = next((handler for one, handler in self._other.items() if filters.covers(one, came.topic)), None)
        if told is None:
            self.strays += 1
            return
        try:
            told(came.topic, came.payload, came.retained)
        except Exception as err:  # noqa: BLE001 - gmqtt would not acknowledge it, and hear of no other
            self.faults += 1
            _LOGGER.error("a message of %s could not be handled: %s", came.topic, type(err).__name__)  # noqa: TRY400


def _done() -> asyncio.Future[int]:
    done = asyncio.get_running_loop().create_future()
    done.set_result(0)
    return done
