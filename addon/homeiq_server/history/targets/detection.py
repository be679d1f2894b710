"""Who answers at an address, and thereby how it is spoken to."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from homeiq_server.history.answers import Action, Category, Refusal, refusal_of_question
from homeiq_server.history.target import Identity

from .influxdb_1 import InfluxDB1
from .influxdb_2 import InfluxDB2
from .product import Product
from .session import Session
from .settings import InfluxSettings
from .victoria_metrics import VictoriaMetrics, read_metrics, version_in

_INFLUX_VERSION: Final = "X-Influxdb-Version"
_INFLUX_BUILD: Final = "X-Influxdb-Build"
_VICTORIA_HOST: Final = "X-Server-Hostname"
_NUMBERS: Final = re.compile(r"(?P<major>\d+)\.(?P<minor>\d+)")
_WITH_TOKENS: Final = (1, 8)
"""The first InfluxDB that has the v2 endpoint, for which ``user:password`` is a token."""


async def detect(session: Session, settings: InfluxSettings, *, victoria_settling_s: float) -> Product | Refusal:
    """Find out who answers; a product that would lose lines is refused with the remedy."""
    ping = await session.get("/ping")
    if isinstance(ping, Refusal):
        return ping
    is_victoria = _VICTORIA_HOST in ping.headers
    if not is_victoria and (_INFLUX_VERSION in ping.headers or _INFLUX_BUILD in ping.headers):
        return _influxdb(session, settings, ping.headers)
    refusal = refusal_of_question(ping)
    if refusal is not None and ping.status != HTTPStatus.NOT_FOUND:
        return refusal
    metrics = await read_metrics(session)
    if isinstance(metrics, str) and (version := version_in(metrics)) is not None:
        product = VictoriaMetrics(session, settings, version=version or None, settling_s=victoria_settling_s)
        product.learn(metrics)
        hidden = None if settings.embedded else await product.refusal_of_hidden_faults()
        return hidden or product
    if isinstance(metrics, Refusal) and (metrics.action is Action.RETRY or is_victoria):
        return metrics
    return InfluxDB2(session, settings, Identity("a database with InfluxDB's API", None))


def _influxdb(session: Session, settings: InfluxSettings, headers: Mapping[str, str]) -> Product | Refusal:
    """Return the InfluxDB that says of itself what ``headers`` hold; Cloud has no version."""
    is_cloud = "cloud" in headers.get(_INFLUX_BUILD, "").lower()
    version = headers.get(_INFLUX_VERSION, "").removeprefix("v") or None
    identity = Identity("InfluxDB Cloud" if is_cloud else "InfluxDB", version)
    numbers = _NUMBERS.match(version or "")
    major, minor = (int(numbers["major"]), int(numbers["minor"])) if numbers else (0, 0)
    if major != 1:
        return InfluxDB2(session, settings, identity, has_buckets=is_cloud or major == 2)  # noqa: PLR2004
    if settings.token is None:
        return InfluxDB1(session, settings, identity)
    if (major, minor) >= _WITH_TOKENS:
        return InfluxDB2(session, settings, identity)
    return Refusal(
        action=Action.HOLD,
        category=Category.CONFIGURATION,
        reason=f"InfluxDB {version} knows no tokens: give influx_username and influx_password instead of influx_token",
    )
