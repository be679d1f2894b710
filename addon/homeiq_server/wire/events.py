"""The body of ``POST /api/v1/events``, and of ``POST /api/v1/backfill``, which has the same."""

from typing import Annotated, Final

import msgspec

from homeiq_server.errors import Rejected
from homeiq_server.model import Event, Gap, Labels, Position

from .batch import Batch, BodyDecoder, Count, Envelope, Name, TimeUs, check_count, read_part

MAX_ENTITIES: Final = 20_000
_MAX_GAPS: Final = 1_000
_MAX_LABEL_BYTES: Final = 4_096  # of one entity, as the spool keeps them

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
    gaps: msgspec.Raw = msgspec.Raw(b"[]")
    entities: msgspec.Raw = msgspec.Raw(b"{}")


class _Whole(_Head, frozen=True, kw_only=True):
    events: list[_WireEvent]


_BODY: Final = BodyDecoder[_Head, _WireEvent](whole=_Whole, head=_Head, item=_WireEvent, key="events", noun="the event")


_decode_gaps: Final = msgspec.json.Decoder(tuple[_WireGap, ...]).decode
_decode_labels: Final = msgspec.json.Decoder(dict[Name, Labels]).decode


def decode_events(body: bytes | bytearray) -> Batch[Event]:
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
        gaps=_gaps(head.gaps),
    )
    return Batch(position, items, _labels(head.entities))


def decode_backfill(body: bytes | bytearray) -> Batch[Event]:
    """Return the batch of past events in ``body``; see ``decode_events``.

    They tell nothing of what runs now, so they open no gap: ``started_us`` and ``gaps`` are not read.
    """
    head, items = _BODY.decode(body)
    return Batch(Position(source=head.source, stream=head.stream, seq=head.seq), items, _labels(head.entities))


def _gaps(raw: msgspec.Raw) -> tuple[Gap, ...]:
    check_count(bytes(raw).count(b"[") - 1, _MAX_GAPS, key="gaps")  # before any is made: a body has room for 700,000
    return tuple(map(_forwards, read_part(raw, _decode_gaps, key="gaps")))


def _labels(raw: msgspec.Raw) -> dict[str, Labels]:
    """Return the labels; those that no home has, being too long, are left out."""
    json = bytes(raw)
    if (braces := json.count(b"{") - 1) > 2 * MAX_ENTITIES:  # some may stand in names
        check_count(braces, MAX_ENTITIES, key="entities")
    found = read_part(raw, _decode_labels, key="entities")
    check_count(len(found), MAX_ENTITIES, key="entities")
    if len(json) <= _MAX_LABEL_BYTES:
        return found
    return {name: labels for name, labels in found.items() if len(msgspec.json.encode(labels)) <= _MAX_LABEL_BYTES}


def _forwards(gap: Gap) -> Gap:
    """Turn a gap round that ends before it starts: the sender's clock was set back meanwhile."""
    return Gap(min(gap.start_us, gap.end_us), max(gap.start_us, gap.end_us), gap.events)
