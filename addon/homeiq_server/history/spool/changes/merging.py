"""Small rows that wait become large ones, because large frames pack better.

50 lines in a row take 75 bytes each on the disk, 5,000 take 15: a day without the database fits on a small disk.

Only rows that nobody has been given are merged, because the writer settles what it was given by id and count; so while
it keeps up, nothing is. What becomes one row follows each other in one channel and source, so that their lines stay in
order. The merged row has the newest one's id, which no cursor of the writer can have passed, and is a multiple of the
largest: so a line is packed anew about once, and a row that is large already never.
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from homeiq_server.errors import Rejected
from homeiq_server.history.spool.channels import LIVE, OWN
from homeiq_server.history.spool.tables.batches import MAX_LINES, MAX_RAW_BYTES, Batch, join
from homeiq_server.history.spool.tables.shape import Misread
from homeiq_server.history.spool.tables.tables import Tables
from homeiq_server.model import Lines

_READ: Final = """
      SELECT id, accepted_us, channel, source, precision, form, count, raw_bytes, since_us, newest_us
        FROM queue
       WHERE id > ? AND id <= ?
    ORDER BY id
       LIMIT ?
"""

_KINDS: Final = (int, int, str, str | None, str, str, int, int, int | None, int | None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is done at a time.

    Attributes:
        every: So many rows must have come since there was nothing to merge.
        window: So many rows are looked at together.
        growth: A merged row is at least so many times the largest of those that it replaces.
    """

    every: int = 64
    window: int = 512
    growth: int = 10


class Waiting(NamedTuple):
    """What must be known of a row to find its like."""

    id: int
    accepted_us: int
    channel: str
    source: str | None
    precision: str
    form: str
    lines: int
    raw_bytes: int
    since_us: int | None
    newest_us: int | None


class Merger:
    """Finds rows to merge, oldest first, and remembers how far it has looked.

    Also which rows have been given away; neither need outlive the process, as whoever settles them does not.
    """

    def __init__(self, effort: Effort | None = None) -> None:
        self._effort = effort or Effort()
        self._after = 0
        self._looked_up_to = 0

    def leave(self, row_id: int) -> None:
        """Leave all rows up to this one as they are."""
        self._after = max(self._after, row_id)

    def is_due(self, up_to: int) -> bool:
        """Tell whether enough rows up to this one have gathered for a look at them."""
        return up_to - max(self._after, self._looked_up_to) >= self._effort.every

    def step(self, tables: Tables, up_to: int) -> None:
        """Make one row of some, in the transaction that is open; or note that there are none for now."""
        values = tables.db.execute(_READ, (self._after, up_to, self._effort.window)).fetchall()
        if rows := self._find(list(map(_waiting, values)), up_to):
            try:
                merge(tables, rows)
            except Rejected:
                self.leave(rows[-1].id)  # one is damaged: its reader is to account for it

    def _find(self, rows: list[Waiting], up_to: int) -> list[Waiting]:
        runs: dict[tuple[str, str | None, str], _Run] = {}
        for row in rows:
            key = row.channel, row.source, row.precision
            is_small = _is_small(row, self._effort.growth)
            if (run := runs.get(key)) and not (is_small and run.goes_on_with(row)):
                if worth := run.worth_merging(self._effort.growth):
                    return worth
                del runs[key]
            if is_small:
                runs.setdefault(key, _Run()).add(row)
        if len(rows) == self._effort.window:
            if longest := max((run.worth_merging(self._effort.growth) for run in runs.values()), key=len, default=[]):
                return longest
            self.leave(rows[len(rows) // 2].id)
        else:
            self.leave(min((run.rows[0].id for run in runs.values()), default=up_to + 1) - 1)
            self._looked_up_to = up_to
        return []


class _Run:
    """Rows that may become one."""

    def __init__(self) -> None:
        self.rows: list[Waiting] = []
        self._lines = self._raw_bytes = 0

    def goes_on_with(self, row: Waiting) -> bool:
        """Tell whether the row is like the others, follows them, and finds room."""
        last = self.rows[-1]
        return (
            row.form == last.form
            and (row.since_us or 0) >= (last.since_us or 0)
            and self._lines + row.lines <= MAX_LINES
            and self._raw_bytes + row.raw_bytes <= MAX_RAW_BYTES
        )

    def add(self, row: Waiting) -> None:
        self.rows.append(row)
        self._lines += row.lines
        self._raw_bytes += row.raw_bytes + 1

    def worth_merging(self, growth: int) -> list[Waiting]:
        """Return the newest rows that together are so many times the largest of them; all, in a full run of small ones.

        What was merged before is larger than what has come since, and is left out until there is more of its size.
        """
        rows = self.rows
        while rows and not _have_grown(rows, growth):
            largest = max(row.lines for row in rows)
            rows = rows[max(place for place, row in enumerate(rows) if row.lines == largest) + 1 :]
        return rows


def merge(tables: Tables, rows: list[Waiting]) -> None:
    """Replace rows that are alike by one, in the transaction that is open.

    Raises:
        Rejected: One of them is damaged; nothing was changed.
    """
    batch = join([_batch(tables, row) for row in rows])
    removed = [gone for row in rows if (gone := tables.queue.remove(row.id))]
    stored_bytes = tables.queue.insert(batch, min(row.accepted_us for row in rows), row_id=rows[-1].id)
    for gone in removed:
        tables.queue.forget(gone)
    tables.queue.count(batch.lines.count, stored_bytes)


def _batch(tables: Tables, row: Waiting) -> Batch:
    (stored,) = tables.queue.take(row.id - 1, max_lines=1, max_bytes=1, up_to=row.id)
    body = stored.body()
    if body.count(b"\n") + 1 != row.lines:
        raise Rejected(f"row {row.id} of the spool is damaged: it does not hold {row.lines} lines")
    return Batch(
        channel=row.channel,
        source=row.source,
        form=row.form,
        lines=Lines(body, row.lines, row.precision),
        since_us=row.since_us,
        newest_us=row.newest_us,
    )


def _have_grown(rows: list[Waiting], growth: int) -> bool:
    lines = [row.lines for row in rows]
    sizes = [row.raw_bytes for row in rows]
    return sum(lines) >= growth * max(lines) or sum(sizes) >= growth * max(sizes)


def _is_small(row: Waiting, growth: int) -> bool:
    """Tell whether the row should be merged: a full run of such rows is at least ``growth`` times the largest.

    Live rows must say what a source loses with them, and so does the merged one then: from the first to the last.
    """
    is_known = row.since_us is not None and row.newest_us is not None and row.since_us < row.newest_us
    return (
        row.channel != OWN
        and (is_known or row.channel != LIVE)
        and row.lines <= MAX_LINES // (growth + 1)
        and row.raw_bytes <= MAX_RAW_BYTES // (growth + 1)
    )


def _waiting(values: tuple[Any, ...]) -> Waiting:
    if not all(map(isinstance, values, _KINDS, strict=True)):
        raise Misread("a row of the queue holds what no row can hold")
    return Waiting(*values)
