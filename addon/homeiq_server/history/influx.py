"""Any database that takes line protocol: who answers decides how it is spoken to."""

import asyncio
import time
from http import HTTPStatus
from typing import Final

from .answers import Answer, Refusal
from .target import Form, Identity, Kept
from .targets.detection import detect
from .targets.influxdb_2 import InfluxDB2
from .targets.product import Product
from .targets.session import Session
from .targets.settings import InfluxSettings
from .targets.victoria_metrics import VictoriaMetrics

__all__ = ["Influx", "InfluxSettings"]

_HEALTH_TIMEOUT_S: Final = 2.0
_KEPT_TIMEOUT_S: Final = 5.0
_KEPT_FOR_S: Final = 300.0
"""For so long what it keeps is believed: people give a bucket more time and then fill it with older points."""


class Influx:
    """One database, whichever it is; made inside the event loop that uses it. A ``Target``.

    Until it is identified it is treated as an InfluxDB, or as VictoriaMetrics when it is embedded.

    Attributes:
        url: As given.
    """

    def __init__(self, settings: InfluxSettings, *, victoria_settling_s: float = 15.0) -> None:
        """Connect to nothing yet.

        Raises:
            InvalidOptions: The address holds credentials, or the file with certificates cannot be used.
        """
        self._settings = settings
        self._settling_s = victoria_settling_s
        self._session = Session(settings)
        self._product: Product = (
            VictoriaMetrics(self._session, settings, settling_s=victoria_settling_s)
            if settings.embedded
            else InfluxDB2(self._session, settings, Identity("the database", None))
        )
        self._kept_until = 0.0
        self.url: Final = self._session.url

    @property
    def name(self) -> str:
        """The product, once identified."""
        return self._product.identity.product

    @property
    def form(self) -> Form:
        """Which lines it can hold."""
        return self._product.form

    @property
    def kept(self) -> Kept:
        """Which times it keeps, asked again every five minutes."""
        return self._product.kept

    @property
    def settling_s(self) -> float:
        """How long after its 2xx it may still lose lines when it is killed."""
        return self._product.settling_s

    async def identify(self) -> Identity | Refusal:
        """Find out who answers; a product that would lose lines is refused with the remedy."""
        product = await detect(self._session, self._settings, victoria_settling_s=self._settling_s)
        if isinstance(product, Refusal):
            return product
        self._product = product
        await self._read_kept()
        return product.identity

    async def write(self, lines: bytes, *, precision: str) -> Refusal | None:
        """Send lines, at least one; None when the database took them all."""
        if time.monotonic() > self._kept_until:
            await self._read_kept()
        return await self._product.write(lines, precision=precision)

    async def healthy(self) -> bool:
        """Whether it answers within 2 s, and not with a fault of its own."""
        try:
            async with asyncio.timeout(_HEALTH_TIMEOUT_S):
                answer = await self._session.get("/health")
        except TimeoutError:
            return False
        return isinstance(answer, Answer) and answer.status < HTTPStatus.INTERNAL_SERVER_ERROR

    async def epoch(self) -> str | Refusal:
        """Return when VictoriaMetrics' process started; for InfluxDB, which loses nothing then, an empty text."""
        return await self._product.epoch()

    async def close(self) -> None:
        """Close the session; the target cannot be used any more."""
        await self._session.close()

    async def _read_kept(self) -> None:
        self._kept_until = time.monotonic() + _KEPT_FOR_S
        try:
            async with asyncio.timeout(_KEPT_TIMEOUT_S):
                await self._product.read_kept()
        except TimeoutError:
            return
