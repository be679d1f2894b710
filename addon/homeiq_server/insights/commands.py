"""Commands: a device that does not do what it is asked, or only after a long time.

Formula (iot.md D.2, rule 10): of the last 20 commands, the share without an answer within a minute, and the 95th
percentile of the others' latencies (the nearest rank). Failing means at least 3 unanswered and 15 % of at least 10; it
is over at 1. Slow means that the 95th percentile is above 10 s; it is over below 5 s.
"""

import math
import struct
from typing import Final

import msgspec

from homeiq_server.insights.finding import Condition, Evidence, Kind
from homeiq_server.insights.subject import Subject
from homeiq_server.insights.words import figure, microseconds, number

_LAST: Final = 20
_ENOUGH: Final = 10
_FAILED: Final = 3
_SHARE: Final = 0.15
_CLEARED: Final = 1
_SLOW_S: Final = 10.0
_QUICK_S: Final = 5.0
_UNANSWERED: Final = math.inf
_LONGEST_S: Final = 60_000.0
"""The most that two bytes hold."""


class Commands(msgspec.Struct, array_like=True, gc=False):
    """The last commands to one device.

    Attributes:
        latencies: A ring of seconds in two bytes each, infinite for the unanswered.
    """

    latencies: bytearray = msgspec.field(default_factory=bytearray)
    next: int = 0
    raised: bool = False
    since_s: float = 0.0

    def asked(self, asked_s: float, answered_s: float | None) -> None:
        """Take a command: when it was given, when the state changed (None: not within a minute)."""
        latency = _UNANSWERED if answered_s is None else max(0.0, min(_LONGEST_S, answered_s - asked_s))
        if math.isnan(latency) or not math.isfinite(asked_s):
            return
        self.latencies[2 * self.next : 2 * self.next + 2] = struct.pack("<e", latency)
        self.next = (self.next + 1) % _LAST
        failed, count, p95_s = self._figures()
        if not self.raised and (count >= _ENOUGH and (self._failing(failed, count) or p95_s > _SLOW_S)):
            self.raised, self.since_s = True, asked_s
        elif self.raised and failed <= _CLEARED and p95_s < _QUICK_S:
            self.raised = False

    def check(self) -> Evidence | None:
        """Return the figures when it fails or is slow."""
        if not self.raised:
            return None
        failed, count, p95_s = self._figures()
        return {
            "since_us": microseconds(self.since_s),
            "unanswered": failed,
            "commands": count,
            "slowest_5_percent_s": round(p95_s, 1),
        }

    @staticmethod
    def _failing(failed: int, count: int) -> bool:
        return failed >= _FAILED and failed >= _SHARE * count

    def _figures(self) -> tuple[int, int, float]:
        """Return how many were unanswered, of how many, and the 95th percentile of the others."""
        latencies = [each for (each,) in struct.iter_unpack("<e", self.latencies)]
        answered = sorted(each for each in latencies if each != _UNANSWERED)
        p95_s = answered[math.ceil(0.95 * len(answered)) - 1] if answered else 0.0
        return len(latencies) - len(answered), len(latencies), p95_s


def condition(subject: Subject, evidence: Evidence, now_us: int) -> Condition:
    """Word it."""
    failed, count = round(number(evidence, "unanswered")), round(number(evidence, "commands"))
    if failed > _CLEARED:
        title = f"{subject.name} does not answer every command"
        seen = f"did not answer {failed} of the last {count} commands"
    else:
        title = f"{subject.name} is slow"
        seen = f"sometimes takes {figure(number(evidence, 'slowest_5_percent_s'))} seconds to do what it is asked"
    return subject.condition(
        Kind.COMMANDS,
        3,
        title,
        f"{subject.name} {seen}. Check its power and how well it reaches its hub or router.",
        evidence,
        now_us,
    )
