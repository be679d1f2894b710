"""Events that can be told apart afterwards: sender and number stand in the entity, the value and the time.

So a database can be asked which of them it holds, and how often it took each, past everything that HomeIQ says.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

_STEP_US: Final = 1_000  # VictoriaMetrics keeps milliseconds
_LINE: Final = re.compile(
    rb"^(?:numbered,domain=sensor,entity_id=numbered_(?P<sender>\d+) value=(?P<number>\d+)(?:\.0)?(?:e0)? (?P<us>\d+)"
    rb"|(?P<own>homeiq_gap,.*)|(?P<strange>.+))$",
    re.MULTILINE,
)
METRIC: Final = "numbered_value"


@dataclass(frozen=True, slots=True)
class Numbering:
    """How events are numbered: each sender from 0, each number at its own millisecond.

    Attributes:
        start_us: The time of number 0, on a whole millisecond.
    """

    start_us: int

    def time_us(self, number: int) -> int:
        """Return when it happened."""
        return self.start_us + number * _STEP_US

    def event(self, sender: int, number: int) -> str:
        """Return an event as it travels."""
        time_us = self.time_us(number)
        return (
            f'["sensor.numbered_{sender}","{number}",{{"unit_of_measurement":"numbered"}},'
            f'"{number - 1}",{time_us - _STEP_US},{time_us},"01K",null]'
        )

    def events(self, sender: int, numbers: Iterable[int]) -> bytes:
        """Return the JSON array of several."""
        return f"[{','.join(self.event(sender, number) for number in numbers)}]".encode()

    def read(self, body: bytes) -> Iterator[tuple[int, int]]:
        """Yield sender and number of each line; HomeIQ's own gap markers are passed over.

        Raises:
            RuntimeError: A line is none of ours, or holds another time than its number says.
        """
        for found in _LINE.finditer(body):
            sender, number, time_us, own, _ = found.groups()
            if own:
                continue
            if sender is None or int(time_us) != self.time_us(int(number)):
                raise RuntimeError(f"a line that was never sent: {found[0]!r}")
            yield int(sender), int(number)

    def number_at(self, time_ms: int) -> int:
        """Return whose time this is."""
        return (time_ms * 1_000 - self.start_us) // _STEP_US


class Taken:
    """How often each number of each sender was taken.

    Attributes:
        lines: All of them, the ones that came again included.
    """

    def __init__(self) -> None:
        self._times: dict[int, bytearray] = {}
        self.lines = 0

    def add(self, sender: int, number: int) -> None:
        """Count one."""
        times = self._times.setdefault(sender, bytearray())
        if number >= len(times):
            times.extend(bytes(number + 1 - len(times) + 4_096))
        times[number] = min(times[number] + 1, 255)
        self.lines += 1

    @property
    def different(self) -> int:
        """How many different ones there are."""
        return sum(len(times) - times.count(0) for times in self._times.values())

    @property
    def again(self) -> int:
        """How many came when they had been taken before."""
        return self.lines - self.different

    def has(self, sender: int, number: int) -> bool:
        """Whether it was ever taken."""
        times = self._times.get(sender, b"")
        return number < len(times) and times[number] > 0

    def beyond(self, ends: Iterable[int]) -> int:
        """Return how many are there that were never sent: each sender's numbers end before its end."""
        last = dict(enumerate(ends))
        return sum(
            len(times) - last.get(sender, 0) - times.count(0, last.get(sender, 0))
            for sender, times in self._times.items()
            if len(times) > last.get(sender, 0)
        )
