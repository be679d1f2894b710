"""gmqtt, wrapped once: one connection to a broker, from CONNECT to its end; and its errors as ours.

What gmqtt 0.8 does that has to be known:

* It acknowledges when the future that ``on_message`` returned has a result. A coroutine would cost a task for each
  message; a plain function that is marked as one, and returns a future, costs none.
* It reconnects by itself, in tasks that nobody owns, also with ``stop_reconnect``, which sets the most retries to 0 and
  then allows one. Fewer than none are none: each connection here is a client of its own, and is never opened again.
* A broker that refuses MQTT 5 with the code of 3.1.1 leaves ``connect`` waiting; the connection's end ends that here.
* Numbers of packets run out when more are unacknowledged than the broker's window allows: ``OverflowError``.
* It logs packets, which may have a token in them: it is not let log at all.
* A subscription's options of MQTT 5 are sent to a broker of 3.1.1 too, which must close the connection then.
"""

import asyncio
import inspect
import logging
import ssl
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

from gmqtt import Client, Subscription  # type: ignore[import-untyped]
from gmqtt.mqtt.constants import MQTTv50, MQTTv311  # type: ignore[import-untyped]
from gmqtt.mqtt.handler import MQTTError  # type: ignore[import-untyped]

from homeiq_server.errors import Misconfigured, RetryLater

from .answers import LEAST_REFUSAL, NotAccepted, VersionRefused, end_of, refusal_of, token_of
from .broker import Broker
from .came import Came, OnMessage, Wanted
from .corked import Corked
from .publishing import Unacknowledged

_SILENT: Final = logging.getLogger("gmqtt")
_SILENT.setLevel(logging.CRITICAL + 1)

PROTOCOLS: Final = {"5": MQTTv50, "3.1.1": MQTTv311}
_SESSION_S: Final = 7 * 86_400
LARGEST_PACKET: Final = 8 * 1024 * 1024
"""Of a message to us, in bytes; a broker of MQTT 5 drops larger ones. Zigbee2MQTT's list of devices is large."""

_KEEPALIVE_S: Final = 30
_ANSWER_S: Final = 15.0
_GRACE_S: Final = 0.5
_CLOSE_S: Final = 1.0


class Connection:
    """A connection to a broker; opened once, closed once.

    Attributes:
        on_message: Told of each message; to be set before `open`.
        why_lost: What ended it, or None while it is there.
    """

    def __init__(  # noqa: PLR0913 - who is spoken to, as whom, and who is told
        self,
        broker: Broker,
        *,
        client_id: str,
        version: str,
        window: int,
        on_known: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        """Prepare it; the broker keeps subscriptions and messages for a week while we are away.

        Args:
            broker: Where to, and as whom.
            client_id: ASCII; the broker knows the session by it.
            version: A key of `PROTOCOLS`.
            window: How many unacknowledged messages the broker of MQTT 5 is asked to send at most.
            on_known: Told when the broker has accepted us and had kept our session; before any message comes.
            on_lost: Told once, when the connection ends by itself.
        """
        self._broker = broker
        self._version = version
        self._on_known = on_known
        self._on_lost = on_lost
        self._unacknowledged = Unacknowledged()
        self._lost = asyncio.Event()
        self._granted: asyncio.Future[tuple[int, ...]] | None = None
        self.on_message: OnMessage | None = None
        self.why_lost: str | None = None
        self._client = client = Client(
            client_id,
            clean_session=False,
            optimistic_acknowledgement=False,
            persistent_storage=self._unacknowledged,
            logger=_SILENT,
            session_expiry_interval=_SESSION_S,
            receive_maximum=window,
            maximum_packet_size=LARGEST_PACKET,
        )
        client.set_config({"reconnect_retries": -2})
        if broker.username is not None:
            client.set_auth_credentials(broker.username, broker.password and broker.password.reveal())
        client.on_connect = self._accepted
        client.on_message = self._message
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._subscribed

    async def open(self) -> None:
        """Return when the broker has accepted us.

        Raises:
            VersionRefused: It may accept another version of MQTT.
            NotAccepted: It may, but it does not say so.
            Misconfigured: A person has to mend something.
            RetryLater: It is away or busy.
        """
        broker = self._broker
        connecting = self._client.connect(
            broker.host,
            broker.port,
            ssl=broker.tls or False,
            keepalive=_KEEPALIVE_S,
            version=PROTOCOLS[self._version],
        )
        try:
            await self._unless_lost(connecting, "accept the connection")
        except NotAccepted:
            # gmqtt tells nobody else of the refusal of 3.1.1, and waits on.
            if self._client._connection_state.protocol_version != PROTOCOLS[self._version]:  # noqa: SLF001
                raise VersionRefused("the broker refuses this version of MQTT (code 1)") from None
            raise
        except MQTTError as err:
            raise refusal_of(str(err)) from None
        except ssl.SSLCertVerificationError as err:
            raise Misconfigured(f"the broker's certificate is not trusted: {err.verify_message}") from None
        except UnicodeError:
            raise Misconfigured("the broker's name is no host name") from None
        except OSError as err:
            raise RetryLater(f"the broker does not answer ({type(err).__name__})") from None
        self._cork()

    async def subscribe(self, wanted: Sequence[Wanted]) -> None:
        """Return when the broker has granted all.

        Raises:
            Misconfigured: It refuses one.
            RetryLater: The connection was lost meanwhile.
        """
        is_v5 = PROTOCOLS[self._version] == MQTTv50
        self._granted = asyncio.get_running_loop().create_future()
        self._client.subscribe(
            [
                Subscription(one.topic_filter, qos=1, retain_handling_options=2 if is_v5 and not one.retained else 0)
                for one in wanted
            ]
        )
        try:
            granted = await self._unless_lost(self._granted, "grant the subscription")
        except NotAccepted as err:
            raise RetryLater(str(err)) from None
        for one, code in zip(wanted, granted, strict=False):
            if code >= LEAST_REFUSAL:
                raise Misconfigured(f"the broker does not let us subscribe to {one.topic_filter} (code {code})")

    async def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        """Return when the broker has acknowledged it, of QoS 0 when it is on its way; never sends it twice.

        Raises:
            RetryLater: The connection was lost meanwhile.
        """
        while self.why_lost is None:
            try:
                self._client.publish(topic, payload, qos=qos, retain=retain)
            except OverflowError:
                await self._unacknowledged.room()
            else:
                if qos:
                    await self._unacknowledged.newest()
                return
        raise RetryLater("the connection to the broker was lost")

    def pause(self) -> None:
        """Read nothing more until `resume`; the broker has to wait."""
        if (transport := self._transport()) is not None and not transport.is_closing():
            transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if (transport := self._transport()) is not None and not transport.is_closing():
            transport.resume_reading()

    async def close(self) -> None:
        """Say goodbye and end the connection, in whatever state it is; the session stays if it is one that is kept."""
        self._lost.set()
        self.why_lost = self.why_lost or "closed by us"
        self._unacknowledged.fail()
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._client.disconnect()
        except TimeoutError, OSError:
            if (transport := self._transport()) is not None:
                transport.abort()

    def _cork(self) -> None:
        # No public way either.
        connection = self._client._connection  # noqa: SLF001
        connection._transport = connection._protocol._transport = Corked(connection._transport)  # noqa: SLF001

    def _transport(self) -> asyncio.Transport | None:
        # gmqtt has no public way to it, nor to a limit of its own.
        connection = self._client._connection  # noqa: SLF001
        return None if connection is None else connection._transport  # noqa: SLF001

    async def _unless_lost[T](self, work: Coroutine[Any, Any, T] | asyncio.Future[T], what: str) -> T:
        doing = work if isinstance(work, asyncio.Future) else asyncio.create_task(work, name=f"mqtt: {what}")
        lost = asyncio.create_task(self._lost.wait(), name="mqtt: lost")
        try:
            await asyncio.wait((doing, lost), timeout=_ANSWER_S, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done() and lost.done():
                # A refusal and the end that follows it come together.
                await asyncio.wait((doing,), timeout=_GRACE_S)
            if doing.done():
                return doing.result()
            raise NotAccepted(f"the broker did not {what}" + (f": {self.why_lost}" if self.why_lost else " in time"))
        finally:
            doing.cancel()
            lost.cancel()
            await asyncio.wait((doing, lost))
            if not doing.cancelled():
                doing.exception()  # told above, unless we were cancelled meanwhile

    def _accepted(self, _: object, had_session: int, __: int, ___: object) -> None:
        if had_session:
            self._on_known()

    @inspect.markcoroutinefunction
    def _message(
        self, _: object, topic: str | bytes, payload: bytes, qos: int, properties: Mapping[str, Any]
    ) -> asyncio.Future[int]:
        if self.on_message is None or self.why_lost is not None:
            return asyncio.get_running_loop().create_future()  # that never ends: it is not acknowledged
        text = topic if isinstance(topic, str) else topic.decode(errors="replace")
        token = token_of(properties["user_property"]) if "user_property" in properties else None
        return self.on_message(Came(text, payload, token, qos > 0, bool(properties["dup"]), bool(properties["retain"])))

    def _subscribed(self, _: object, __: int, granted: tuple[int, ...], ___: object) -> None:
        if self._granted is not None and not self._granted.done():
            self._granted.set_result(granted)

    def _disconnected(self, _: object, packet: object, __: object = None) -> None:
        if self.why_lost is not None:
            return
        self.why_lost = end_of(packet)
        self._unacknowledged.fail()
        self._lost.set()
        self._on_lost()
