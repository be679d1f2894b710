"""An event loop whose clock jumps to the next thing to do, so that a day takes no time. Without sockets and threads."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, Final, override

_START: Final = 1_000_000.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs what would be run in a thread at once."""

    def __init__(self) -> None:
        self.now = _START
        super().__init__(_NoWaiting(self))

    @override
    def time(self) -> float:
        return self.now

    @override
    def run_in_executor[Answer](  # type: ignore[override]  # typeshed's own type variables
        self, executor: Executor | None, func: Callable[..., Answer], *args: Any
    ) -> asyncio.Future[Answer]:
        done = self.create_future()
        done.set_result(func(*args))
        return done


class _NoWaiting(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events:
            assert timeout is not None, "nothing will ever happen"
            self._loop.now += timeout
        return events


def run[Answer](main: Coroutine[Any, Any, Answer]) -> Answer:
    """Run a test in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
