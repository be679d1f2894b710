"""Find the lines that a database refuses, with few requests, so that only they become dead letters."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from homeiq_server.history.answers import Action, Refusal, one_line

from .draft import Draft
from .outside import OLD, time_of
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
        dropped: Nothing is wrong with them, they are only too old: they are counted by the reason, and not kept.
    """

    lines: Sequence[int]
    reason: str
    status: int | None
    dropped: bool = False


async def isolate(draft: Draft, refusal: Refusal, attempt: Attempt) -> list[Condemned]:
    """Send everything but what is refused, and return that.

    Lines that the answer names are left out at once, or sent with other types where that may do; a range of which it
    names none is halved. Broad before deep, so that what is left when the requests are used up is narrow; that goes
    whole. Sending a line twice is harmless.

    Args:
        draft: Of the refused request.
        refusal: Its answer.
        attempt: Sends some of the lines.
    """
    condemned: list[Condemned] = []
    unsolved: list[int] = []
    refused: deque[tuple[Sequence[int], Refusal]] = deque([(range(len(draft.sent)), refusal)])
    requests = 1
    while refused:
        indices, refusal = refused.popleft()
        named = await asyncio.to_thread(_named, draft, indices, refusal)
        dead = {index: why for index, why in named.items() if refusal.too_old or draft.condemns(index, why)}
        if refusal.too_old:
            condemned.append(Condemned(sorted(dead), OLD, refusal.status, dropped=True))
        else:
            condemned += [Condemned([index], one_line(why), refusal.status) for index, why in dead.items()]
        if not named and len(indices) == 1:
            condemned.append(Condemned(indices, refusal.reason, refusal.status))
            continue
        for part in _parts(indices, named, dead):
            if requests >= MAX_REQUESTS and refusal.action is not Action.HALVE:
                unsolved += part
                continue
            requests += refusal.action is not Action.HALVE
            if named:
                await asyncio.to_thread(draft.retype, part)
            if answer := await attempt(b"\n".join(draft.sent[index] for index in part)):
                refused.append((part, answer))
    if unsolved:
        condemned.append(_unisolated(unsolved, refusal))
    return condemned


def _named(draft: Draft, indices: Sequence[int], refusal: Refusal) -> dict[int, str]:
    """Return which lines the answer is about, ascending, and what it says of each."""
    if refusal.too_old:
        oldest = sorted(indices, key=lambda index: time_of(draft.sent[index]))[: refusal.too_old]
        return dict.fromkeys(sorted(oldest), OLD)
    named = named_lines(refusal.text, [draft.sent[index] for index in indices])
    return {indices[at]: why for at, why in sorted(named.items())}


def _parts(indices: Sequence[int], named: Collection[int], dead: Collection[int]) -> list[Sequence[int]]:
    """Return what to send next: all but the dead letters, or both halves when no line was named."""
    if named:
        rest = [index for index in indices if index not in dead]
        return [rest] if rest else []
    middle = len(indices) // 2
    return [indices[:middle], indices[middle:]]


def _unisolated(indices: Sequence[int], refusal: Refusal) -> Condemned:
    """Condemn lines of which not every one need be bad; sending them again later may save some."""
    reason = f"unisolated after {MAX_REQUESTS} requests: {refusal.reason}"
    return Condemned(sorted(indices), reason, refusal.status)
