"""Commands: a device that does not do what it is asked, or only after a long time.

Formula (iot.md D.2, rule 10): a CUSUM of log-likelihood ratios between a device that fails 2 % of its commands and one
that fails 40 %: + ln(0.4 / 0.02) for a command without an answer within a minute, - ln(0.98 / 0.6) for another. Failing
means that it is at 7, which takes three unanswered of seven or four of fourteen; where 1 % fail by chance, that happens
once in some 60,000 commands (simulated). It ends at 8, and is over at 0, after 17 answers in a row. Slow means that the
95th percentile of the latencies of the last 20 commands, at least 10, is above 10 s (the nearest rank); it is over
below 5 s.
"""

import math
import struct
from typing import Final

import msgspec

from homeiq_server.insights.finding import Condition, Evidence, Kind
from homeiq_server.insights.subject import Subject
from homeiq_server.insights.words import figure, microseconds, number, rounded

_LAST: Final = 20
_ENOUGH: Final = 10
_UNANSWERED_ADDS: Final = math.log(0.4 / 0.02)
_ANSWERED_ADDS: Final = math.log(0.6 / 0.98)
_FAILING: Final = 7.0
_TOP: Final = 8.0
_SLOW_S: Final = 10.0
_QUICK_S: Final = 5.0
_UNANSWERED: Final = math.inf
_LONGEST_S: Final = 60_000.0
"""The most that two bytes hold."""


class Commands(msgspec.Struct, array_like=True, gc=False):
    """The last commands to one device.

    Attributes:
        sum: The CUSUM.
        latencies: A ring of seconds in two bytes each, infinite for the unanswered.
    """

    latencies: bytearray = msgspec.field(default_factory=bytearray)
    next: int = 0
    sum: float = 0.0
    failing: bool = False
    slow: bool = False
    since_s: float = 0.0

    def asked(self, asked_s: float, answered_s: float | None) -> None:
        """Take a command: when it was given, when the state changed (None: not within a minute)."""
        latency = _UNANSWERED if answered_s is None else max(0.0, min(_LONGEST_S, answered_s - asked_s))
        if math.isnan(latency) or not math.isfinite(asked_s):
            return
        self.latencies[2 * self.next : 2 * self.next + 2] = struct.pack("<e", latency)
        self.next = (self.next + 1) % _LAST
        was_raised = self.failing or self.slow
        self._judge(answered_s is not None)
        if not was_raised and (self.failing or self.slow):
            self.since_s = asked_s

    def check(self) -> Evidence | None:
        """Return the figures when it fails or is slow."""
        if not (self.failing or self.slow):
            return None
        failed, count, p95_s = self._figures()
        return {
            "since_us": microseconds(self.since_s),
            "failing": self.failing,
            "unanswered": failed,
            "commands": count,
            "slowest_5_percent_s": rounded(p95_s),
        }

    def _judge(self, answered: bool) -> None:  # noqa: FBT001  # what is judged
        self.sum = min(_TOP, max(0.0, self.sum + (_ANSWERED_ADDS if answered else _UNANSWERED_ADDS)))
        self.failing = self.sum >= _FAILING or (self.failing and self.sum > 0.0)
        _, count, p95_s = self._figures()
        self.slow = count >= _ENOUGH and p95_s > (_QUICK_S if self.slow else _SLOW_S)

    def _figures(self) -> tuple[int, int, float]:
        """Return how many were unanswered, of how many, and the 95th percentile of the others."""
        latencies = [each for (each,) in struct.iter_unpack("<e", self.latencies)]
        answered = sorted(each for each in latencies if each != _UNANSWERED)
        p95_s = answered[math.ceil(0.95 * len(answered)) - 1] if answered else 0.0
        return len(latencies) - len(answered), len(latencies), p95_s


def condition(subject: Subject, evidence: Evidence, now_us: int) -> Condition:
    """Word it."""
    failed, count = round(number(evidence, "unanswered")), round(number(evidence, "commands"))
    if evidence.get("failing"):
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
