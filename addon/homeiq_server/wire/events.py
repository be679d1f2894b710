"""The body of ``POST /api/v1/events``, and of ``POST /api/v1/backfill``, which has the same."""

from typing import Annotated, Final

import msgspec

from homeiq_server.errors import Rejected
from homeiq_server.model import Event, Gap, Labels, Position

from .batch import Batch, BodyDecoder, Count, Envelope, Name, TimeUs

type _ContextId = Annotated[str, msgspec.Meta(max_length=255)]


class _WireEvent(Event, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """An event within the bounds that the parts behind rely on: no time and no name without end."""

    entity_id: Name
    previous_changed_us: TimeUs | None
    time_us: TimeUs
    context_id: _ContextId
    parent_id: _ContextId | None


class _WireGap(Gap, frozen=True, array_like=True):
    """A gap within the same bounds."""

    start_us: TimeUs
    end_us: TimeUs
    events: Count | None = None


class _Head(Envelope, frozen=True, kw_only=True):
    started_us: TimeUs | None = None
    gaps: Annotated[tuple[_WireGap, ...], msgspec.Meta(max_length=1_000)] = ()
    entities: dict[Name, Labels] = msgspec.field(default_factory=dict)


class _Whole(_Head, frozen=True, kw_only=True):
    events: list[_WireEvent]


class _Apart(_Head, frozen=True, kw_only=True):
    events: list[msgspec.Raw]


_BODY: Final = BodyDecoder[_Head, _WireEvent](
    whole=_Whole, apart=_Apart, item=_WireEvent, key="events", noun="the event"
)


def decode_events(body: bytes) -> Batch[Event]:
    """Return the batch of live events in ``body``.

    Raises:
        Rejected: Not JSON, or not the shape of a batch; the text names the field.
        TooLarge: Too many events.
    """
    head, items = _BODY.decode(body)
    if head.seq == 1 and head.started_us is None:
        raise Rejected("started_us: missing; the first batch of a stream tells when its listener was registered")
    position = Position(
        source=head.source,
        stream=head.stream,
        seq=head.seq,
        started_us=head.started_us,
        gaps=tuple(map(_forwards, head.gaps)),
    )
    return Batch(position, items, head.entities)


def decode_backfill(body: bytes) -> Batch[Event]:
    """Return the batch of past events in ``body``; see ``decode_events``.

    They tell nothing of what runs now, so they open no gap: ``started_us`` and ``gaps`` are not read.
    """
    head, items = _BODY.decode(body)
    return Batch(Position(source=head.source, stream=head.stream, seq=head.seq), items, head.entities)


def _forwards(gap: Gap) -> Gap:
    """Turn a gap round that ends before it starts: the sender's clock was set back meanwhile."""
    return Gap(min(gap.start_us, gap.end_us), max(gap.start_us, gap.end_us), gap.events)
