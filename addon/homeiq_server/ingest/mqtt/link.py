"""The link to the broker: connects for as long as that takes, takes what devices send, and publishes."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final

from homeiq_server.errors import Misconfigured, RetryLater
from homeiq_server.options import Options
from homeiq_server.status.shape import MqttStatus

from . import filters
from .answers import NotAccepted, VersionRefused
from .backlog import Backlog
from .broker import Broker, broker_of
from .came import Wanted
from .client import Connection
from .condition import Condition
from .dispatch import Dispatch, Handler
from .reception import Reception, Take
from .watch import Watch
from .window import MOST_MESSAGES

_LOGGER = logging.getLogger(__name__)

# A broker of 3.1.1 sends few before it waits for us: gathering would only keep it waiting.
_GATHER_S: Final = {"5": 0.05}
_FINISH_S: Final = 5.0
_LAST_S: Final = 0.8
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_PATIENCE: Final = 3
_REFUSED_PAUSE_S: Final = 60.0
_NO_BROKER_PAUSE_S: Final = 60.0
_STABLE_S: Final = 30.0
_PUBLISH_S: Final = 10.0
_MOST_PUBLISHING: Final = 100
_NOTHING: Final[Mapping[str, Handler]] = {}


class MqttLink:
    """One link for the life of the server, over as many connections as it takes."""

    def __init__(
        self,
        options: Options,
        *,
        client_id: str,
        take: Take,
        broker: Callable[[], Awaitable[Broker | None]],
        other: Mapping[str, Handler] = _NOTHING,
    ) -> None:
        """Prepare it.

        Args:
            options: ``mqtt_url`` comes before ``broker``.
            client_id: The same at each start, and of no other server; ASCII.
            take: Returns once messages are kept for good, or cannot be now.
            broker: Looks for a broker that the options do not tell of; asked before each connection.
            other: By topic filter: who is told of topic, payload, and whether the broker had retained it. What comes
                is acknowledged at once. Filters must not overlap.
        """
        self._options = options
        self._client_id = client_id
        self._take = take
        self._look_for_broker = broker
        self._echo_topic = f"homeiq/{client_id}/echo"
        self._backlog = Backlog()
        self._dispatch = Dispatch(other, self._backlog, echo_topic=self._echo_topic)
        self._connection: Connection | None = None
        self._reception: Reception | None = None
        self._is_stopping = False
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(_MOST_PUBLISHING)
        self._warned_of_tls = False
        self._unaccepted = 0
        self._speaks_5 = ""
        self._condition = Condition()
        self._forced_reconnects = self._publishing = 0
        self._lost = self._faults = 0

    def status(self) -> MqttStatus:
        """Return how it is now."""
        return MqttStatus(
            state=self._condition.state,
            broker=self._condition.address,
            protocol=self._condition.protocol,
            error=self._condition.error,
            connected_since=self._condition.connected_since,
            received=self._dispatch.received,
            held=self._reception.held if self._reception else 0,
            forced_reconnects=self._forced_reconnects,
            publishing=self._publishing,
            retained=self._dispatch.retained,
            strays=self._dispatch.strays,
            lost=self._lost,
            catching_up=self._backlog.is_on,
        )

    @property
    def faults(self) -> int:
        """How many times a fault of our own kept something from being done."""
        return self._faults + self._dispatch.faults + (self._reception.faults if self._reception else 0)

    def stop(self) -> None:
        """Have `run` take what has come, say goodbye to the broker and return, within a second or two."""
        self._is_stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Stay connected until `stop`."""
        failures = 0
        while not self._is_stopping:
            try:
                if (broker := await self._broker()) is None:
                    self._condition.turn_off()
                    await self._rest(_NO_BROKER_PAUSE_S)
                    continue
                lasted_s = await self._once(broker)
                failures = 0 if lasted_s >= _STABLE_S else failures + 1
            except Misconfigured as err:
                self._condition.fail("refused", err)
                await self._rest(_REFUSED_PAUSE_S)
                continue
            except RetryLater as err:
                self._condition.fail("connecting", err)
                failures += 1
            except Exception as err:
                # One link serves all devices: it outlives what nobody foresaw of a broker.
                _LOGGER.exception("the link to the MQTT broker failed")
                self._condition.fail("connecting", err)
                self._faults += 1
                failures += 1
            longest = min(_FIRST_PAUSE_S * 2 ** min(failures, 16), _LONGEST_PAUSE_S)
            await self._rest(random.uniform(_FIRST_PAUSE_S, longest))  # noqa: S311 - to spread load, not a secret
        self._condition.state = "off"

    async def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Return when the broker has acknowledged the message; of QoS 0, when it is on its way.

        It is sent once. After `RetryLater` the broker may have it or not.

        Args:
            topic: Without wildcards.
            payload: At most what the broker takes.
            qos: 0 or 1.
            retain: Whether the broker gives it to those who subscribe later.

        Raises:
            RetryLater: The broker is away, or did not acknowledge it in 10 s.
        """
        self._publishing += 1
        try:
            async with asyncio.timeout(_PUBLISH_S), self._slots:
                if self._connection is None:
                    raise RetryLater("the MQTT broker is away")
                await self._connection.publish(topic, payload, qos=qos, retain=retain)
        except TimeoutError:
            raise RetryLater("the MQTT broker did not acknowledge the message in time") from None
        finally:
            self._publishing -= 1

    async def _broker(self) -> Broker | None:
        if self._options.mqtt_url is None:
            return await self._look_for_broker()
        broker = await asyncio.to_thread(broker_of, self._options)
        if broker and broker.tls and not self._options.mqtt_verify_ssl and not self._warned_of_tls:
            self._warned_of_tls = True
            _LOGGER.warning("the certificate of the MQTT broker is not checked: mqtt_verify_ssl is off")
        return broker

    async def _once(self, broker: Broker) -> float:
        """Connect, serve until the connection ends, and return for how many seconds it lasted."""
        self._condition.try_to(broker)
        try:
            return await self._serve(broker, "5")
        except VersionRefused as err:
            _LOGGER.debug("the MQTT broker does not speak MQTT 5: %s", err)
        except NotAccepted:
            # A broker that is just starting does this too. In 3.1.1 it would send no tokens beside payloads.
            self._unaccepted += 1
            if self._unaccepted < _PATIENCE or self._speaks_5 == broker.address:
                raise
        return await self._serve(broker, "3.1.1")

    async def _serve(self, broker: Broker, version: str) -> float:
        connection = Connection(
            broker,
            client_id=self._client_id,
            version=version,
            window=MOST_MESSAGES,
            on_known=partial(self._backlog.begin, MOST_MESSAGES),
            on_lost=self._wake.set,
        )
        self._reception = reception = Reception(
            self._take, pause=connection.pause, resume=connection.resume, gather_s=_GATHER_S.get(version, 0.0)
        )
        connection.on_message = partial(self._dispatch.tell, reception)
        taking = asyncio.create_task(reception.run(), name="mqtt: take")
        try:
            await connection.open()
            # Of the session, messages may have come already; those of a first one come from here on.
            await self._subscribe(connection)
            self._connected(connection, version)
            began = time.monotonic()
            watch = Watch(connection, reception, self._backlog, echo_topic=self._echo_topic, wake=self._wake)
            why = await watch.until_end(lambda: self._is_stopping)
            self._forced_reconnects += watch.forced
            self._connection = self._condition.connected_since = None
            await self._finish(connection, reception)
            if not self._is_stopping:
                self._condition.fail("connecting", RetryLater(why))
            return time.monotonic() - began
        finally:
            self._connection = self._condition.connected_since = None
            self._backlog.end()
            taking.cancel()
            await connection.close()
            await asyncio.wait((taking,))
            self._faults += reception.faults
            self._reception = None

    async def _subscribe(self, connection: Connection) -> None:
        devices = Wanted(topic_filter=filters.of_devices(self._options.mqtt_share), retained=False)
        await connection.subscribe(
            [devices, *(Wanted(topic_filter=one, retained=True) for one in self._dispatch.filters)]
        )

    async def _finish(self, connection: Connection, reception: Reception) -> None:
        """Take what still can be; no longer than a moment."""
        connected = connection.why_lost is None and self._is_stopping
        if connected:
            connection.pause()
        else:
            await connection.close()
        self._lost += await reception.finish(_LAST_S if self._is_stopping else _FINISH_S, connected=connected)
        self._dispatch.expect(reception.unacknowledged)
        # gmqtt acknowledges in the turn of the loop after the one that a message was taken in.
        await asyncio.sleep(0)

    def _connected(self, connection: Connection, version: str) -> None:
        self._connection = connection
        if version == "5":
            self._unaccepted, self._speaks_5 = 0, self._condition.address
        self._condition.connect(version)

    async def _rest(self, seconds: float) -> None:
        if not self._is_stopping:
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
