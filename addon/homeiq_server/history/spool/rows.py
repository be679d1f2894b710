"""What the spool hands out and takes back: rows, and what became of them."""

from collections.abc import Mapping
from compression import zstd
from dataclasses import dataclass, field

from homeiq_server.errors import Rejected


@dataclass(frozen=True, slots=True)
class Row:
    r"""One stored batch of lines, as it lies in the file.

    Attributes:
        id: Grows with every row and is never used twice, also not after a restart.
        accepted_us: When the batch was committed, by our clock.
        channel: ``events``, ``backfill``, ``telemetry`` or ``line_protocol``.
        source: Who sent it; None for channels without sources.
        precision: Of the lines' timestamps: ``us``, ``ns``, ``ms`` or ``s``.
        form: What the lines were encoded for: ``influx`` or ``victoria``.
        count: How many lines.
        raw_bytes: Length of the body when decompressed.
        newest_us: The newest event's time, or None when there is none.
        packed: The body as one zstd frame with checksum.
    """

    id: int
    accepted_us: int
    channel: str
    source: str | None
    precision: str
    form: str
    count: int
    raw_bytes: int
    newest_us: int | None
    packed: bytes

    def body(self) -> bytes:
        r"""Return the lines, separated by ``\n``, without one at the end.

        Raises:
            Rejected: The row was damaged on disk; settle it as dropped for ``damage``.
        """
        try:
            # A damaged frame header may claim any size: compare before memory is asked for.
            if zstd.get_frame_info(self.packed).decompressed_size == self.raw_bytes:
                return zstd.decompress(self.packed)
        except zstd.ZstdError as err:
            raise Rejected(f"row {self.id} of the spool is damaged: {err}") from err
        raise Rejected(f"row {self.id} of the spool is damaged: its size is not {self.raw_bytes} bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    r"""Lines that the database will never take.

    Attributes:
        line: The line; or several, separated by ``\n``, when the bad one could not be told from its neighbours.
        count: How many lines.
        code: The status of the database's answer; None when it was not the database that refused.
        reason: The answer's text; what is over 1,000 characters is cut.
        target: The name of the database.
    """

    line: bytes
    count: int
    code: int | None
    reason: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of one row's lines.

    Attributes:
        row_id: The row, which leaves the queue.
        written: Lines that the database has for good.
        dead: Lines that go to the dead letters.
        dropped: By reason: lines given up.
    """

    row_id: int
    written: int
    dead: tuple[DeadLetter, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)

    def count(self) -> int:
        """Return the lines accounted for; must equal the row's ``count``."""
        return self.written + sum(letter.count for letter in self.dead) + sum(self.dropped.values())
