"""A server that is killed at any instant still has every line that it acknowledged, and its numbers add up."""

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.unit.homeiq_server.history.spool.spool_builders import open_file

# Four streams put as fast as they can while rows are settled; all is told on standard output, lines after
# they were acknowledged, but settled ones before, because a kill may come between the commit and the word.
_SERVER = """
import asyncio, sys
from pathlib import Path
from homeiq_server.history.spool import Settled, Spool
from homeiq_server.model import Intake, Lines, Position, Tally

async def send(spool, stream):
    for seq in range(1, 1_000_000):
        line = f"{stream},seq={seq} v=1.0 {seq}"
        await spool.put(Intake(
            channel="events", tally=Tally(received=1, converted=1, skipped={}, rejected={}),
            lines=Lines(line.encode(), 1), position=Position(source="home", stream=stream, seq=seq)))
        print("acknowledged", line, sep="|", flush=True)

async def settle(spool):
    after = 0
    while True:
        await spool.wait_for_rows(after)
        rows = await spool.take(after=after, max_lines=5, max_bytes=10_000)
        after = rows[-1].id
        for line in rows[0].body().decode().splitlines():
            print("settling", line, sep="|", flush=True)
        await spool.settle([Settled(row_id=rows[0].id, written=rows[0].count)])

async def main():
    spool = await Spool.open(Path(sys.argv[1]), limit_bytes=10**9)
    async with asyncio.TaskGroup() as group:
        for n in range(4):
            group.create_task(send(spool, f"{sys.argv[2]}-{n}"))
        group.create_task(settle(spool))

asyncio.run(main())
"""


def told_until_killed(folder: Path, name: str, words: int) -> Iterator[tuple[str, str]]:
    """Kill a server after it has said so many words, and yield all that it said."""
    command = [sys.executable, "-c", _SERVER, str(folder / "spool.sqlite"), name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        for said, sentence in enumerate(server.stdout):
            if said == words:
                server.kill()
            if sentence.endswith("\n"):  # the last word may have been cut
                verb, line = sentence.rstrip("\n").split("|")
                yield verb, line
    assert server.returncode == -signal.SIGKILL


def test_no_acknowledged_line_is_lost_however_often_the_server_is_killed(tmp_path: Path) -> None:
    chance = random.Random(7)  # noqa: S311 - moments to kill at, no secret
    told: dict[str, set[str]] = {"acknowledged": set(), "settling": set()}
    for turn in range(5):
        for verb, line in told_until_killed(tmp_path, f"turn{turn}", chance.randint(1, 600)):
            told[verb].add(line)

        file = open_file(tmp_path)
        rows = file.take(after=0, max_lines=10**9, max_bytes=10**9)
        queued = {line for row in rows for line in row.body().decode().splitlines()}
        assert told["acknowledged"] - told["settling"] <= queued
        assert file.totals.lines.written <= len(told["settling"])
        assert file.audit() == []
        file.close()
    assert told["acknowledged"]
