"""The server killed again and again while several senders go on sending, and the database fails in between.

An oracle keeps what was acknowledged; at the end all of it must be in the database, and nothing else.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from homeiq_bench.forwarder import Forwarder
from homeiq_bench.numbered import Numbering, Taken
from homeiq_bench.report import say
from homeiq_bench.server import Server
from homeiq_demo.laws import laws

SENDERS: Final = 6
_SHORTEST_S, _LONGEST_S = 0.02, 0.6
_START_S: Final = 0.7
_IN_ITS_START: Final = 0.1  # part of the rounds in which the server is killed before it answers
_STREAM_BEGINS: Final = 0.3  # part of the rounds in which a sender is restarted
_DRAINED_WITHIN_S: Final = 1_800.0
_TELL_EVERY: Final = 50


class Storage(Protocol):
    """A database that fails; its methods block."""

    @property
    def options(self) -> Mapping[str, str]:
        """What the server is told of it."""
        ...

    def before(self, chance: random.Random) -> None:
        """Get into the state in which the round begins; the server does not run."""
        ...

    def strike(self, chance: random.Random, server: Server) -> None:
        """Fail, or do not, in the middle of the round."""
        ...

    def recover(self) -> None:
        """Be well from now on; the server does not run."""
        ...

    def taken(self, server: Server, numbering: Numbering) -> Taken:
        """Return what it holds, and how often it took each."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the rounds have shown.

    Attributes:
        acknowledged: Events that the server has answered 200 to.
        lost: Those of them that the database does not hold.
        lines: That the database took, those that came again included.
        again: Lines that it had taken before, or shows twice.
        broken: A sentence for each promise that was not kept; empty when all is well.
    """

    acknowledged: int
    lost: int
    lines: int
    again: int
    broken: Sequence[str]


class KillRounds:
    """The rounds; the same seed chooses the same moments."""

    def __init__(self, folder: Path, storage: Storage, *, seed: int, numbering: Numbering) -> None:
        options = {**storage.options, "drain_lines_per_second": "1000000"}
        self._server = Server(folder / "server", options, log=folder / "server.log")
        self._storage = storage
        self._numbering = numbering
        self._seed = seed
        self._chance = random.Random(seed)  # noqa: S311  # a repeatable choice, no secret
        self._broken: list[str] = []
        self._senders = [
            Forwarder(number, self._server.port, lambda: self._server.token, numbering, self._chance.getrandbits(64))
            for number in range(SENDERS)
        ]

    async def run(self, rounds: int) -> Outcome:
        """Kill the server so often, then let everything be written, and return what has become of it.

        Raises:
            RuntimeError: The server did not start, or refused a good batch.
        """
        try:
            await self._start()  # the first time with a database that is well: from then on its kind is known
            async with asyncio.TaskGroup() as tasks:
                for number, sender in enumerate(self._senders):
                    tasks.create_task(sender.run(), name=f"sender {number}")
                await self._rounds(rounds)
                for sender in self._senders:
                    sender.finish()
            return await self._outcome(await self._drained())
        except BaseException as err:
            err.add_note(f"seed {self._seed}; the server's last words:\n{self._server.tail()}")
            raise
        finally:
            await asyncio.to_thread(self._server.kill)

    async def _rounds(self, rounds: int) -> None:
        for number in range(1, rounds + 1):
            await self._round()
            if number % _TELL_EVERY == 0:
                say(f"round {number} of {rounds}: {sum(s.answered for s in self._senders):,} events acknowledged")
        await asyncio.to_thread(self._storage.recover)
        await self._start()

    async def _round(self) -> None:
        """Let the running server live for a moment, kill it, and start it again."""
        lives_s = self._chance.uniform(_SHORTEST_S, _LONGEST_S)
        strikes_s = self._chance.uniform(0, lives_s)
        await asyncio.sleep(strikes_s)
        await asyncio.to_thread(self._storage.strike, self._chance, self._server)
        await asyncio.sleep(lives_s - strikes_s)
        await asyncio.to_thread(self._server.kill)
        if self._chance.random() < _STREAM_BEGINS:
            self._chance.choice(self._senders).begin_stream()
        await asyncio.to_thread(self._storage.before, self._chance)
        if self._chance.random() < _IN_ITS_START:
            self._server.spawn()
            await asyncio.sleep(self._chance.uniform(0, _START_S))
            await asyncio.to_thread(self._server.kill)
        await self._start()

    async def _start(self) -> None:
        """Start the server; what it says of itself at once must add up."""
        await asyncio.to_thread(self._server.kill)
        await asyncio.to_thread(self._server.start)
        self._check_laws(await asyncio.to_thread(self._server.status))

    def _check_laws(self, status: dict[str, Any]) -> None:
        self._broken += [f"{law} (seed {self._seed})" for law in laws(status) if not law.holds]

    async def _drained(self) -> dict[str, Any]:
        """Return the status once nothing waits any more."""
        async with asyncio.timeout(_DRAINED_WITHIN_S):
            while (status := await asyncio.to_thread(self._server.status))["lines"]["queued"]:  # noqa: ASYNC110  # nor has it an event
                await asyncio.sleep(0.1)
        return status

    async def _outcome(self, status: dict[str, Any]) -> Outcome:
        self._check_laws(status)
        taken = await asyncio.to_thread(self._storage.taken, self._server, self._numbering)
        lost = [(number, n) for number, sender in enumerate(self._senders) for n in sender.lost(taken)]
        facts = {
            f"{len(lost)} acknowledged events are lost, the first of them (sender, number): {lost[:10]}": lost,
            f"{taken.beyond(s.ends for s in self._senders)} events were never sent": taken.beyond(
                s.ends for s in self._senders
            ),
            f"{taken.different} different events in the database, {status['intake']['events']['converted']} counted as "
            "converted": taken.different != status["intake"]["events"]["converted"],
            f"lines dead or dropped: {status['lines']}": status["lines"]["dead"] or status["lines"]["dropped"],
        }
        self._broken += [f"{text} (seed {self._seed})" for text, is_broken in facts.items() if is_broken]
        return Outcome(
            acknowledged=sum(sender.answered for sender in self._senders),
            lost=len(lost),
            lines=taken.lines,
            again=taken.again,
            broken=self._broken,
        )
