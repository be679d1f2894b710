"""Tells Home Assistant, through the Supervisor, that the app is here and how to reach it; asks it for the MQTT broker.

The Supervisor keeps the message and passes it to the integration's ``hassio`` step; the same again is not passed on.
Formats: ``supervisor/api/discovery.py``, ``supervisor/api/addons.py`` (``/addons/self/info``) and
``supervisor/api/services.py`` with ``supervisor/services/modules/mqtt.py``.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Self, override

import aiohttp
import msgspec

from homeiq_server.errors import Misconfigured, RetryLater
from homeiq_server.options import Secret
from homeiq_server.token import Token

if TYPE_CHECKING:
    from homeiq_server.ingest.mqtt.broker import Broker

_LOGGER = logging.getLogger(__name__)

SERVICE: Final = "homeiq"
"""The integration's domain; also in the list ``discovery`` of the app's config.yaml, or the Supervisor answers 403."""

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 60.0
# 400: no app offers the service; 404: the Supervisor knows no such service.
_NO_SERVICE: Final = frozenset({400, 404})
_NOT_ALLOWED: Final = frozenset({401, 403})


class _Info(msgspec.Struct, frozen=True):
    hostname: str


class _InfoAnswer(msgspec.Struct, frozen=True):
    data: _Info


class _Mqtt(msgspec.Struct, frozen=True):
    host: str
    port: int
    ssl: bool = False
    username: str | None = None
    password: str | None = None


class _MqttAnswer(msgspec.Struct, frozen=True):
    data: _Mqtt


class Supervisor:
    """Home Assistant's Supervisor, as an app sees it; it knows the app by its token."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._head = {"Authorization": f"Bearer {token}"}

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self | None:
        """Return the Supervisor that started us, or None when none did."""
        if not (token := environment.get("SUPERVISOR_TOKEN")):
            return None
        return cls(environment.get("SUPERVISOR") or "http://supervisor", token)

    @override
    def __repr__(self) -> str:
        return f"Supervisor({self._url!r})"

    async def announce(self, *, port: int, token: Token, server_id: str) -> None:
        """Return once the Supervisor has taken the message; tries for as long as that takes.

        Args:
            port: Where the API listens in our container; Home Assistant reaches it by our host name.
            token: The API's own.
            server_id: What the integration knows the server by.
        """
        pause_s = _FIRST_PAUSE_S
        async with aiohttp.ClientSession(headers=self._head, timeout=_TIMEOUT) as session:
            while why_not := await self._try(session, {"port": port, "token": token.reveal(), "server_id": server_id}):
                if pause_s == _FIRST_PAUSE_S:
                    _LOGGER.warning("Home Assistant cannot be told of the app yet: %s; trying on", why_not)
                await asyncio.sleep(random.uniform(pause_s / 2, pause_s))  # noqa: S311 - to spread load, not a secret
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        _LOGGER.info("Home Assistant was told of the app")

    async def mqtt_broker(self) -> Broker | None:
        """Return the broker that an app, such as Mosquitto's, offers now; None when none does.

        Raises:
            RetryLater: The Supervisor does not answer, or not in a way that is understood.
            Misconfigured: It does not let us ask: ``mqtt`` is to be in the list ``services`` of the app's config.yaml.
        """
        try:
            async with (
                aiohttp.ClientSession(headers=self._head, timeout=_TIMEOUT) as session,
                session.get(f"{self._url}/services/mqtt") as answer,
            ):
                if answer.status in _NO_SERVICE:
                    return None
                if answer.status in _NOT_ALLOWED:
                    raise Misconfigured(f"the Supervisor does not tell us of the MQTT broker ({answer.status})")
                answer.raise_for_status()
                known = msgspec.json.decode(await answer.read(), type=_MqttAnswer).data
        except (aiohttp.ClientError, TimeoutError) as err:
            raise RetryLater(f"the Supervisor does not tell of the MQTT broker ({type(err).__name__})") from None
        except msgspec.DecodeError:
            raise RetryLater("the Supervisor's answer about the MQTT broker is not understood") from None
        from homeiq_server.ingest.mqtt.broker import Broker  # noqa: PLC0415 - history alone does without ingest

        return Broker(
            host=known.host,
            port=known.port,
            tls=await asyncio.to_thread(ssl.create_default_context) if known.ssl else None,
            username=known.username or None,
            password=Secret(known.password) if known.password else None,
        )

    async def _try(self, session: aiohttp.ClientSession, config: Mapping[str, str | int]) -> str | None:
        """Return None when it was taken, else why not; no answer's text, which may repeat what was sent."""
        try:
            message = {"service": SERVICE, "config": {"host": await self._own_hostname(session), **config}}
            async with session.post(f"{self._url}/discovery", json=message) as answer:
                answer.raise_for_status()
        except aiohttp.ClientResponseError as err:
            return f"the Supervisor answered {err.status}"
        except aiohttp.ClientError as err:
            return f"the Supervisor does not answer ({type(err).__name__})"
        except TimeoutError:
            return "the Supervisor does not answer in time"
        except msgspec.DecodeError:
            return "the Supervisor's answer is not understood"
        return None

    async def _own_hostname(self, session: aiohttp.ClientSession) -> str:
        """Return our container's name in the Supervisor's own DNS."""
        async with session.get(f"{self._url}/addons/self/info") as answer:
            answer.raise_for_status()
            return msgspec.json.decode(await answer.read(), type=_InfoAnswer).data.hostname
