"""All that knows devices which send by MQTT and HTTP: their tenants, alerts, and where these go.

Loaded only when the options ask for it. What came is kept by the gate; all else follows it and may be late.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from homeiq_server.alerts.follower import Follower
from homeiq_server.alerts.waking import Waking
from homeiq_server.api.tenant import routes
from homeiq_server.api.tenant.access import PageAccess, TokenAccess
from homeiq_server.delivery.mail import Mail
from homeiq_server.delivery.worker import Worker
from homeiq_server.history.line_protocol import Form
from homeiq_server.history.spool import Spool
from homeiq_server.ingest.counts import Counts
from homeiq_server.ingest.gate import Gate
from homeiq_server.ingest.limits import Limits
from homeiq_server.ingest.mqtt.broker import Broker
from homeiq_server.ingest.mqtt.link import MqttLink
from homeiq_server.ingest.quarantine import Quarantine
from homeiq_server.ingest.zigbee2mqtt.network import Network, Sights
from homeiq_server.options import Options
from homeiq_server.status import utc_or_none
from homeiq_server.status.shape import IngestStatus
from homeiq_server.store.changes import Changes
from homeiq_server.store.store import Store
from homeiq_server.tenancy.terms import Terms
from homeiq_server.token import Token

_LOGGER = logging.getLogger(__name__)

_LAST_MESSAGES_S: Final = 1.0
_LAST_WORDS_S: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What device ingest is put into.

    Attributes:
        store: Kept open by its owner.
        spool: Open; named queue elsewhere.
        form: Returns which lines the database can hold; see ``Gate``.
        sights: Wants to know of each sign of life that a hub tells of.
        find_broker: Returns the broker that Home Assistant uses, as far as it is known.
        token: The app's own.
    """

    store: Store
    spool: Spool
    form: Callable[[], Form | None]
    sights: Sights
    find_broker: Callable[[], Awaitable[Broker | None]]
    token: Token


class Ingesting:
    """Device ingest of this server."""

    def __init__(self, options: Options, around: Around) -> None:
        """Take nothing yet."""
        store, self._options, self._around = around.store, options, around
        self._changes = Changes(store)
        self._quarantine = Quarantine(store, kept=options.quarantine_kept, days=options.quarantine_days)
        self._counts = Counts(store)
        self._gate = Gate(
            store,
            around.spool,
            limits=Limits.of(options),
            quarantine=self._quarantine,
            counts=self._counts,
            form=around.form,
            changes=self._changes,
        )
        topic = options.zigbee2mqtt_topic
        self._zigbee = Network(store, topic, around.sights) if topic else None
        self._link = MqttLink(
            options,
            client_id=f"homeiq-{around.spool.server_id[:16]}",
            take=self._gate.take_each,
            broker=around.find_broker,
            other={self._zigbee.topic_filter: self._zigbee.take} if self._zigbee else {},
        )
        self._waking = Waking()
        self._follower = Follower(
            store,
            self._changes,
            listening_since_us=self._listening_since_us,
            on_change=self._waking.tell,
            alert_days=options.alert_days,
        )
        self._gate.follow(self._follower.observe)
        self._worker = Worker(
            store,
            changes=self._changes,
            publish=self._link.publish,
            mail=Mail.of(options),
            allow=options.webhook_allow,
        )
        self._terms = Terms(store)
        self._started_us = time.time_ns() // 1_000
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Take messages and follow them until ``stop``; takes some two seconds at most to end."""
        async with asyncio.TaskGroup() as tasks:
            others = [
                tasks.create_task(part.run(), name=name)
                for name, part in (
                    ("changes", self._changes),
                    ("quarantine", self._quarantine),
                    ("alerts", self._follower),
                    ("terms", self._terms),
                    *((("zigbee2mqtt", self._zigbee),) if self._zigbee else ()),
                )
            ]
            counting = tasks.create_task(self._counts.run(), name="counts")
            taking = [
                tasks.create_task(self._gate.run(), name="gate"),
                tasks.create_task(self._link.run(), name="mqtt"),
                tasks.create_task(self._worker.run(), name="deliveries"),
            ]
            try:
                await self._stopping.wait()
                await asyncio.wait(taking, timeout=_LAST_MESSAGES_S)
                await self._keep_what_was_heard(others[2])
            finally:
                for task in (*taking, *others, counting):
                    task.cancel()

    def stop(self) -> None:
        """Take nothing any more, and let ``run`` end."""
        self._link.stop()
        self._gate.stop()
        self._worker.stop()
        self._waking.close()
        self._stopping.set()

    def serve(self, app: web.Application) -> None:
        """Serve devices and tenants to those who show a token of theirs."""
        routes.serve(app, self._served(), TokenAccess(self._around.token, self._around.store, self._changes))
        routes.take_in(app, self._served())

    def serve_page(self, app: web.Application) -> None:
        """Serve the home to its own page."""
        routes.serve(app, self._served(), PageAccess())

    def status(self) -> IngestStatus:
        """Return how it goes; no I/O."""
        gate, worker = self._gate, self._worker
        return IngestStatus(
            mqtt=self._link.status(),
            accepted=gate.accepted,
            refused=gate.refused,
            messages_per_minute=gate.rate.per_minute(),
            last_message_at=utc_or_none(gate.last_us),
            senders=gate.senders,
            following=self._follower.waiting,
            deliveries_pending=worker.pending,
            deliveries_dead=worker.dead,
            faults=sum(
                part.faults for part in (gate, self._link, self._quarantine, self._counts, self._follower, worker)
            ),
        )

    def _served(self) -> routes.Served:
        return routes.Served(
            store=self._around.store,
            changes=self._changes,
            waking=self._waking,
            gate=self._gate,
            sender=self._worker,
            options=self._options,
        )

    def _listening_since_us(self) -> int | None:
        """Return since when devices are heard: while the broker is away, silence tells nothing of them."""
        mqtt = self._link.status()
        if mqtt.state == "off":
            return self._started_us
        return None if mqtt.connected_since is None else int(mqtt.connected_since.timestamp() * 1e6)

    async def _keep_what_was_heard(self, following: asyncio.Task[None]) -> None:
        following.cancel()
        try:
            async with asyncio.timeout(_LAST_WORDS_S):
                await asyncio.wait((following,))
                await self._follower.close()
        except TimeoutError:
            _LOGGER.warning("the store does not answer: the newest values of devices are told when they send again")
