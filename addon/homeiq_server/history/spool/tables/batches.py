"""Requests become batches: what came together and belongs together is one row, because large frames pack better.

500 lines in a row take 13.5 bytes each, 5 lines 50 (zstd-1, measured on Home Assistant's states).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from compression import zstd
from dataclasses import dataclass, replace
from typing import Final

from homeiq_server.model import Lines

MAX_LINES: Final = 5_000
MAX_RAW_BYTES: Final = 2 * 1024 * 1024

_OPTIONS: Final[Mapping[int, int]] = {
    zstd.CompressionParameter.compression_level: 1,
    # Without it a flipped bit decompresses to wrong lines, silently.
    zstd.CompressionParameter.checksum_flag: 1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Lines of one channel, source, form and precision.

    Attributes:
        channel: The intake's channel.
        source: Who sent them, or None.
        form: What they were encoded for.
        lines: At least one.
        since_us: Up to here the source was whole before these lines, or None when it has no such time.
        newest_us: The newest event's time, or None.
    """

    channel: str
    source: str | None
    form: str
    lines: Lines
    since_us: int | None = None
    newest_us: int | None = None


class Packer:
    """Makes zstd frames with checksum; keeps one compressor, whose set-up costs more than a small frame."""

    def __init__(self) -> None:
        self._compressor = zstd.ZstdCompressor(options=_OPTIONS)

    def pack(self, body: bytes) -> bytes:
        """Return ``body`` as one frame that tells its size."""
        return self._compressor.compress(body, zstd.ZstdCompressor.FLUSH_FRAME)


def merge(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Yield the same lines in as few batches as the limits allow, in order for those that are alike."""
    piles: dict[tuple[str, str | None, str, str], _Pile] = {}
    for batch in batches:
        for part in _split(batch):
            pile = piles.setdefault((part.channel, part.source, part.form, part.lines.precision), _Pile())
            if not pile.has_room(part.lines.count, len(part.lines.body)):
                yield pile.join()
            pile.add(part)
    for pile in piles.values():
        yield pile.join()


def join(batches: Sequence[Batch]) -> Batch:
    """Return the same lines as one batch; the batches must be alike, and at least one."""
    if len(batches) == 1:
        return batches[0]
    return replace(
        batches[0],
        lines=Lines(
            b"\n".join(batch.lines.body for batch in batches),
            sum(batch.lines.count for batch in batches),
            batches[0].lines.precision,
        ),
        since_us=min((batch.since_us for batch in batches if batch.since_us is not None), default=None),
        newest_us=max((batch.newest_us for batch in batches if batch.newest_us is not None), default=None),
    )


class _Pile:
    """Batches that will be one row."""

    def __init__(self) -> None:
        self._batches: list[Batch] = []
        self._count = 0
        self._raw_bytes = 0

    def has_room(self, count: int, raw_bytes: int) -> bool:
        """Tell whether so much more fits; it always does when the pile is empty."""
        return not self._batches or (self._count + count <= MAX_LINES and self._raw_bytes + raw_bytes <= MAX_RAW_BYTES)

    def add(self, batch: Batch) -> None:
        self._batches.append(batch)
        self._count += batch.lines.count
        self._raw_bytes += len(batch.lines.body) + 1

    def join(self) -> Batch:
        """Return what has piled up as one batch, and begin anew."""
        batches = self._batches
        self._batches, self._count, self._raw_bytes = [], 0, 0
        return join(batches)


def _split(batch: Batch) -> Iterator[Batch]:
    """Yield ``batch`` in parts within the limits; a line that is over them alone is a part of its own."""
    if batch.lines.count <= MAX_LINES and len(batch.lines.body) <= MAX_RAW_BYTES:
        yield batch
        return
    part: list[bytes] = []
    raw_bytes = 0
    for line in batch.lines.body.split(b"\n"):
        if part and (len(part) == MAX_LINES or raw_bytes + len(line) > MAX_RAW_BYTES):
            yield _with_lines(batch, part)
            part, raw_bytes = [], 0
        part.append(line)
        raw_bytes += len(line) + 1
    yield _with_lines(batch, part)


def _with_lines(batch: Batch, lines: list[bytes]) -> Batch:
    return replace(batch, lines=Lines(b"\n".join(lines), len(lines), batch.lines.precision))
