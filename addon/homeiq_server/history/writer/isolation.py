"""Find the lines that a database refuses, with few requests, so that only they become dead letters."""

from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from homeiq_server.history.answers import Action, Refusal, one_line

from .suspects import named_lines

MAX_REQUESTS: Final = 64
"""Per batch, not counting what only was too large. 50 bad lines among 5,000, named by no answer, would take 700."""

type Attempt = Callable[[bytes], Awaitable[Refusal | None]]
"""Sends lines until the database has answered for good: it took all of them, or refuses the lines themselves."""


@dataclass(frozen=True, slots=True)
class Condemned:
    """Lines that the database does not take.

    Attributes:
        lines: Their indices in the batch, ascending.
        reason: Why, in the database's words.
        status: Of its answer.
    """

    lines: Sequence[int]
    reason: str
    status: int | None


async def isolate(lines: Sequence[bytes], refusal: Refusal, attempt: Attempt) -> list[Condemned]:
    """Send everything but what is refused, and return that.

    Lines that the answer names are left out at once; a range of which it names none is halved. Broad before deep, so
    that what is left when the requests are used up is narrow; that goes whole. Sending a line twice is harmless.

    Args:
        lines: Of the refused request.
        refusal: Its answer.
        attempt: Sends some of them.
    """
    condemned: list[Condemned] = []
    refused: deque[tuple[Sequence[int], Refusal]] = deque([(range(len(lines)), refusal)])
    requests = 1
    while refused:
        indices, refusal = refused.popleft()
        named = named_lines(refusal.text, [lines[index] for index in indices])
        condemned += [Condemned([indices[at]], one_line(why), refusal.status) for at, why in sorted(named.items())]
        if not named and len(indices) == 1:
            condemned.append(Condemned(indices, refusal.reason, refusal.status))
            continue
        for part in _parts(indices, named):
            if requests >= MAX_REQUESTS and refusal.action is not Action.HALVE:
                condemned.append(_unisolated(part, refusal))
                continue
            requests += refusal.action is not Action.HALVE
            if answer := await attempt(b"\n".join(lines[index] for index in part)):
                refused.append((part, answer))
    return condemned


def _parts(indices: Sequence[int], named: Collection[int]) -> list[Sequence[int]]:
    """Return what to send next: all but the named lines, or both halves when none was named."""
    if named:
        rest = [index for at, index in enumerate(indices) if at not in named]
        return [rest] if rest else []
    middle = len(indices) // 2
    return [indices[:middle], indices[middle:]]


def _unisolated(indices: Sequence[int], refusal: Refusal) -> Condemned:
    """Condemn a range in which not every line need be bad; sending it again later may save some."""
    return Condemned(indices, f"unisolated after {MAX_REQUESTS} requests: {refusal.reason}", refusal.status)
