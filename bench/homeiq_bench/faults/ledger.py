"""Which findings open when: conditions that come and go, as the store keeps them."""

from collections.abc import Iterable
from typing import Final

import msgspec

GROUPS: Final = ("house_quiet", "integration_down", "hub_down")


class Opened(msgspec.Struct, frozen=True):
    """A finding was opened.

    Attributes:
        device_id: None when it is not about a single device.
    """

    at_s: float
    kind: str
    subject: str
    device_id: str | None


class Holding(msgspec.Struct, frozen=True):
    """What holds at one instant."""

    kind: str
    subject: str
    device_id: str | None


class Ledger:
    """Opens a finding for each condition that is new, and resolves it when the condition is gone.

    Attributes:
        opened: In order.
    """

    def __init__(self) -> None:
        self.opened: list[Opened] = []
        self._open: set[tuple[str, str]] = set()

    def update(self, at_s: float, holding: Iterable[Holding], *, settled: bool = True) -> None:
        """Compare with what holds now; while not ``settled``, nothing is resolved."""
        now = {(held.kind, held.subject): held for held in holding}
        self.opened += [
            Opened(at_s, held.kind, held.subject, held.device_id) for key, held in now.items() if key not in self._open
        ]
        self._open = set(now) | (set() if settled else self._open)
