"""What every product's way of being spoken to has in common."""

import re
from dataclasses import replace
from datetime import timedelta
from http import HTTPStatus
from typing import Final, Protocol

from homeiq_server.history.answers import Refusal, one_line
from homeiq_server.history.target import Form, Identity, Kept

_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdwy])")
_LENGTH: Final = re.compile(rf"(?:{_PART.pattern})+")


class Product(Protocol):
    """One database whose product is known; the attributes and methods of a ``Target`` that differ between them."""

    @property
    def identity(self) -> Identity:
        """Who it is."""
        ...

    @property
    def form(self) -> Form:
        """Which lines it can hold."""
        ...

    @property
    def settling_s(self) -> float:
        """How long after its 2xx it may still lose lines when it is killed."""
        ...

    @property
    def kept(self) -> Kept:
        """Which times it keeps, as last read."""
        ...

    async def write(self, lines: bytes, *, precision: str) -> Refusal | None:
        """Send lines."""
        ...

    async def epoch(self) -> str | Refusal:
        """Return what changes when its process starts anew."""
        ...

    async def read_kept(self) -> None:
        """Ask which times it keeps. Whatever goes wrong with that, it is then unknown, which is no failure."""
        ...


def with_remedy(refusal: Refusal | None, remedy: str) -> Refusal | None:
    """Return the refusal, with ``remedy`` when the place to write to was not found."""
    if refusal is None or refusal.status != HTTPStatus.NOT_FOUND:
        return refusal
    return replace(refusal, reason=one_line(f"{refusal.reason}: {remedy}"))


def length_of_time(text: str) -> timedelta | None:
    """Return the length that InfluxDB (``36h0m0s``) or VictoriaMetrics (``1y``) writes so; None when it is none."""
    if not _LENGTH.fullmatch(text):
        return None
    try:
        return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text)))
    except OverflowError:
        return None
