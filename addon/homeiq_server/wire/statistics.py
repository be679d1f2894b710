"""The body of ``POST /api/v1/statistics``."""

from typing import Annotated, Final

import msgspec

from homeiq_server.model import Position, Statistic

from .batch import Batch, BodyDecoder, Envelope, Name, TimeUs


class _WireStatistic(Statistic, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A row within the bounds that the parts behind rely on."""

    statistic_id: Name
    start_us: TimeUs
    unit: Annotated[str, msgspec.Meta(max_length=255)] | None


class _Whole(Envelope, frozen=True, kw_only=True):
    rows: list[_WireStatistic]


_BODY: Final = BodyDecoder[Envelope, _WireStatistic](
    whole=_Whole, head=Envelope, item=_WireStatistic, key="rows", noun="the row"
)


def decode_statistics(body: bytes | bytearray) -> Batch[Statistic]:
    """Return the batch of rows in ``body``.

    Raises:
        Rejected: Not JSON, or not the shape of a batch; the text names the field.
        TooLarge: Too many rows.
    """
    head, items = _BODY.decode(body)
    return Batch(Position(source=head.source, stream=head.stream, seq=head.seq), items)
