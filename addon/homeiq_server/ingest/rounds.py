"""Does together what many ask for one by one: while a round is under way, the next one gathers."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from typing import Final, NamedTuple

from homeiq_server.errors import HomeIQError, RetryLater

_LOGGER = logging.getLogger(__name__)
_ONE_KEY: Final = 1
_GOING: Final = "the server is stopping: send it again when it is back"


class _Wish[Item, Answer](NamedTuple):
    item: Item
    weight: int
    answer: asyncio.Future[Answer]


class Rounds[Key: Hashable, Item, Answer]:
    """Rounds of one kind of work: of each key one at a time, in the order in which they were asked for.

    Attributes:
        name: Of its tasks, and for the log.
        faults: How many rounds ended with a fault of our own; the log tells more.
    """

    def __init__(  # noqa: PLR0913 - each is a bound
        self,
        name: str,
        do: Callable[[Key, list[Item]], Awaitable[Sequence[Answer]]],
        *,
        most: int,
        most_waiting: int,
        at_once: int = _ONE_KEY,
        within_s: float | None,
    ) -> None:
        """Begin with nothing to do.

        Args:
            name: See the attribute.
            do: Returns an answer for each item in their order, or raises for all of them.
            most: How much weight a round may have; one item may have more.
            most_waiting: How much may wait.
            at_once: Of how many keys.
            within_s: A round that takes longer has failed; None: what is done ends in time by itself.
        """
        self.faults = 0
        self.name = name
        self._do = do
        self._most = most
        self._most_waiting = most_waiting
        self._at_once = at_once
        self._within_s = within_s
        self._waiting: dict[Key, deque[_Wish[Item, Answer]]] = {}
        self._weight = 0
        self._under_way: set[Key] = set()
        self._wake = asyncio.Event()
        self._stopping = False
        self._ended = False

    async def join(self, key: Key, item: Item, *, weight: int = 1) -> Answer:
        """Return the answer of the next round. It takes place also when the caller is cancelled.

        Raises:
            RetryLater: Too much waits, it took too long, or the round could not be done.
        """
        if self._ended:
            raise RetryLater(_GOING)
        if self._weight >= self._most_waiting:
            raise RetryLater("more messages come in than can be stored", after=1)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        wishes = self._waiting.get(key)
        if wishes is None:
            wishes = self._waiting[key] = deque()
            self._wake.set()
        wishes.append(_Wish(item, weight, answer))
        self._weight += weight
        return await answer

    def stop(self) -> None:
        """Let ``run`` end once all that waits is done."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Do what is asked for, until ``stop``, or cancelled: then what waits gets ``RetryLater``."""
        try:
            async with asyncio.TaskGroup() as tasks:
                while not (self._stopping and not self._waiting and not self._under_way):
                    for key in self._next_keys():
                        self._under_way.add(key)
                        tasks.create_task(self._round(key, self._gather(key)), name=f"ingest {self.name}")
                    await self._wake.wait()
                    self._wake.clear()
        finally:
            self._ended = True
            self._drop()

    def _next_keys(self) -> list[Key]:
        free = self._at_once - len(self._under_way)
        return [key for key in self._waiting if key not in self._under_way][:free] if free else []

    def _gather(self, key: Key) -> list[_Wish[Item, Answer]]:
        wishes = self._waiting.pop(key)
        gathered = [wishes.popleft()]
        weight = gathered[0].weight
        while wishes and weight + wishes[0].weight <= self._most:
            gathered.append(wishes.popleft())
            weight += gathered[-1].weight
        if wishes:
            self._waiting[key] = wishes  # behind the other keys
        self._weight -= weight
        return gathered

    async def _round(self, key: Key, wishes: list[_Wish[Item, Answer]]) -> None:
        try:
            async with asyncio.timeout(self._within_s):
                answers = await self._do(key, [wish.item for wish in wishes])
        except asyncio.CancelledError:
            _fail(wishes, RetryLater(_GOING))
            raise
        except TimeoutError:
            _fail(wishes, RetryLater("it takes too long to store messages", after=1))
        except RetryLater as err:
            _fail(wishes, err)
        except HomeIQError as err:
            _fail(wishes, RetryLater(str(err), after=5))
        except Exception:
            self.faults += 1
            _LOGGER.exception("messages of devices cannot be handled (%s); please report this", self.name)
            _fail(wishes, RetryLater("a fault of our own, of which the log tells", after=5))
        else:
            for wish, answer in zip(wishes, answers, strict=True):
                if not wish.answer.done():
                    wish.answer.set_result(answer)
        finally:
            self._under_way.discard(key)
            self._wake.set()

    def _drop(self) -> None:
        for wishes in self._waiting.values():
            _fail(wishes, RetryLater(_GOING))
        self._waiting.clear()
        self._weight = 0


def _fail[Item, Answer](wishes: Iterable[_Wish[Item, Answer]], err: RetryLater) -> None:
    for wish in wishes:
        if not wish.answer.done():
            wish.answer.set_exception(err)
