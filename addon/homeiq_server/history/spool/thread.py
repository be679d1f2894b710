"""The thread that owns the spool's file, and the event loop's way to it."""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from homeiq_server.errors import RetryLater

from .changes.change import Change
from .file import SpoolFile
from .totals import Totals

_LOGGER = logging.getLogger(__name__)
_MAX_GROUP: Final = 256
_FAULT_RETRY_S: Final = 10.0
_MAX_GROUP_BYTES: Final = 3 * 1024 * 1024  # with the last request of 4 MiB and the journal: within the limit + 16 MiB


@dataclass(frozen=True, slots=True)
class _Job:
    """One caller's request: a change, or a question that only reads."""

    request: Change[Any] | Callable[[SpoolFile], object]
    size: int
    answer: asyncio.Future[Any]


class SpoolThread:
    """Serves changes and questions in the order they came; all changes that wait share one commit.

    Its methods belong to the event loop. What waits is bounded by its callers, who know ``waiting_bytes``.
    """

    def __init__(self, open_file: Callable[[], SpoolFile], published: Callable[[Totals], None]) -> None:
        """Prepare; ``published`` is called on the event loop after each commit, before its callers hear of it."""
        self._open_file = open_file
        self._published = published
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[SpoolFile] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()  # bounded by waiting_bytes
        self._failures = 0
        self.waiting_bytes = 0
        # A daemon: kill -9 is safe at any moment, so a crash elsewhere need not wait for this thread.
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)

    async def start(self) -> SpoolFile:
        """Open the file, and return it for what never changes in it.

        Raises:
            Misconfigured: The file cannot be had.
        """
        self._thread.start()
        return await self._opened

    def make[Answer](self, change: Change[Answer], *, size: int = 0) -> asyncio.Future[Answer]:
        """Return what will be the answer, after the commit. Cancelling it does not undo the change."""
        return self._ask(change, size)

    def read[Answer](self, question: Callable[[SpoolFile], Answer]) -> asyncio.Future[Answer]:
        """Return what will be the answer; the question sees all changes that were asked for before it."""
        return self._ask(question, 0)

    async def stop(self) -> None:
        """Serve what waits, then close the file. Nothing may be asked for afterwards."""
        self._jobs.put(None)
        await asyncio.shield(self._ended)
        self._thread.join()

    def _ask(self, request: Change[Any] | Callable[[SpoolFile], object], size: int) -> asyncio.Future[Any]:
        answer: asyncio.Future[Any] = self._loop.create_future()
        self.waiting_bytes += size
        self._jobs.put(_Job(request, size, answer))
        return answer

    def _run(self) -> None:
        try:
            file = self._open_file()
        except Exception as err:  # noqa: BLE001 - the edge of the thread: the opener gets it, whatever it is
            self._loop.call_soon_threadsafe(self._opened.set_exception, err)
            return
        self._loop.call_soon_threadsafe(self._opened.set_result, file)
        goes_on = True
        while goes_on:
            jobs, goes_on = self._next_group(file)
            answers = self._serve(file, jobs)
            self._loop.call_soon_threadsafe(self._deliver, answers, file.totals)
        file.close()
        self._loop.call_soon_threadsafe(self._ended.set_result, None)

    def _next_group(self, file: SpoolFile) -> tuple[list[_Job], bool]:
        """Wait for a request, and return all that wait with it; False with the last ones."""
        job = self._next_job(file)
        jobs: list[_Job] = []
        size = 0
        while job is not None:
            jobs.append(job)
            size += job.size
            if len(jobs) == _MAX_GROUP or size >= _MAX_GROUP_BYTES:
                return jobs, True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, True
        return jobs, False

    def _next_job(self, file: SpoolFile) -> _Job | None:
        """Wait for a request, and use the time; some of it also when requests never end."""
        is_idle = self._jobs.empty()
        while True:
            wait_s = self._keep_up(file, is_idle=is_idle)
            is_idle = True
            with suppress(queue.Empty):
                return self._jobs.get(timeout=wait_s)

    def _keep_up(self, file: SpoolFile, *, is_idle: bool) -> float | None:
        before = file.totals
        try:
            wait_s = file.upkeep(is_idle=is_idle)
        except RetryLater as err:
            self._note_failure(err)
            wait_s = err.after
        except Exception:
            _LOGGER.exception("The upkeep of the spool failed")
            wait_s = _FAULT_RETRY_S
        if file.totals is not before:
            self._loop.call_soon_threadsafe(self._deliver, (), file.totals)
        return wait_s

    def _serve(self, file: SpoolFile, jobs: Sequence[_Job]) -> list[tuple[_Job, object]]:
        changes = [(job, job.request) for job in jobs if not callable(job.request)]
        answers: list[tuple[_Job, object]] = []
        if changes:
            outcomes = self._commit(file, [change for _, change in changes])
            answers += [(job, outcome) for (job, _), outcome in zip(changes, outcomes, strict=True)]
        answers += [(job, self._answer(file, job.request)) for job in jobs if callable(job.request)]
        return answers

    def _commit(self, file: SpoolFile, changes: Sequence[Change[Any]]) -> Sequence[object]:
        try:
            outcomes = file.commit(changes)
        except RetryLater as err:
            self._note_failure(err)
            return [err] * len(changes)
        except Exception as err:
            _LOGGER.exception("A commit of the spool failed")
            self._failures += 1
            return [err] * len(changes)
        if self._failures:
            _LOGGER.info("The spool works again after %d failed commits", self._failures)
            self._failures = 0
        return outcomes

    def _note_failure(self, err: RetryLater) -> None:
        if not self._failures:
            _LOGGER.warning("%s; what comes is refused until it works again", err)
        self._failures += 1

    def _answer(self, file: SpoolFile, question: Callable[[SpoolFile], object]) -> object:
        try:
            return question(file)
        except Exception as err:  # noqa: BLE001 - the edge of the thread: the asker gets it, whatever it is
            return err

    def _deliver(self, answers: Sequence[tuple[_Job, object]], totals: Totals) -> None:
        self._published(totals)
        for job, answer in answers:
            self.waiting_bytes -= job.size
            if job.answer.done():
                continue  # the caller was cancelled; the commit stands
            if isinstance(answer, Exception):
                job.answer.set_exception(answer)
            else:
                job.answer.set_result(answer)
