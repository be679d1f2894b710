"""What a person may do with dead letters: send them again, or give them up."""

from collections.abc import Iterator
from dataclasses import dataclass

from homeiq_server.errors import RetryLater
from homeiq_server.history.spool.tables.batches import Batch, merge
from homeiq_server.history.spool.tables.counters import LINES
from homeiq_server.history.spool.tables.dead_letters import Buried
from homeiq_server.history.spool.tables.dead_query import Which
from homeiq_server.history.spool.tables.group import Group
from homeiq_server.history.spool.tables.tables import Tables
from homeiq_server.model import Lines

from .oversize import has_long_line
from .put import FULL_RETRY_S


@dataclass(frozen=True, slots=True)
class ReplayDead:
    """Queue dead letters again, with channel, source, precision and form as they had come: so many as find room.

    Lines that are too long for any database stay where they are.
    """

    which: Which

    def make(self, tables: Tables, group: Group) -> int | RetryLater:
        """Return the lines that wait again."""
        limit_bytes = tables.bounds.limit_bytes
        room = limit_bytes - group.used_bytes - group.gathered_bytes
        if room <= 0:
            return RetryLater(f"the spool holds its limit of {limit_bytes} bytes", after=FULL_RETRY_S)
        moved = _Moved(room)
        lines = stored_bytes = 0
        for batch in merge(moved.batches(tables.dead.read(self.which))):
            stored_bytes += tables.queue.insert(batch, group.now_us)
            lines += batch.lines.count
        dead_lines, dead_bytes = tables.dead.delete(moved.ids)
        tables.queue.count(lines, stored_bytes)
        tables.dead.count(-dead_lines, -dead_bytes)
        group.gathered_bytes += moved.raw_bytes
        return lines


@dataclass(frozen=True, slots=True)
class DiscardDead:
    """Give dead letters up: their lines are counted as dropped, ``discarded``."""

    which: Which

    def make(self, tables: Tables, group: Group) -> int:
        """Return the lines that are gone."""
        lines, stored_bytes = tables.dead.delete(self.which)
        tables.dead.count(-lines, -stored_bytes)
        group.counts[LINES, "dropped", "discarded"] += lines
        return lines


class _Moved:
    """Letters that become rows, until there is no more room."""

    def __init__(self, room: int) -> None:
        self._room = room
        self.raw_bytes = 0
        self.ids: list[int] = []

    def batches(self, letters: Iterator[Buried]) -> Iterator[Batch]:
        """Yield each letter that can be sent as a batch; at least one if there is one."""
        for letter in letters:
            if has_long_line(letter.line):
                continue
            if self.ids and self.raw_bytes + len(letter.line) > self._room:
                return
            self.raw_bytes += len(letter.line)
            self.ids.append(letter.id)
            yield _batch(letter)


def _batch(letter: Buried) -> Batch:
    origin = letter.origin
    lines = Lines(letter.line, letter.lines, origin.precision)
    return Batch(channel=origin.channel, source=origin.source, form=origin.form, lines=lines)
