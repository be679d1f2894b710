"""The body of ``POST /api/v1/events`` and its meaning. Pure.

One bad event costs only itself: the body is decoded as a whole, and only when that fails each event by itself.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from homeiq_server.errors import Rejected, TooLarge
from homeiq_server.model import Event, Gap, Labels, Position

MAX_EVENTS: Final = 5_000

# Nanoseconds in 64 bits, which is how InfluxDB keeps time, end in April 2262.
type _TimeUs = Annotated[int, msgspec.Meta(ge=0, le=9_223_372_036_854_775)]
type _Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
type _Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]

# RecursionError: the decoder walks nested values on the C stack, and stops before the stack does.
_FAULTS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _WireEvent(Event, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """An event within the bounds that the parts behind rely on: no time and no name without end."""

    entity_id: _Name
    previous_changed_us: _TimeUs | None
    time_us: _TimeUs
    context_id: Annotated[str, msgspec.Meta(max_length=255)]
    parent_id: Annotated[str, msgspec.Meta(max_length=255)] | None


class _WireGap(Gap, frozen=True, array_like=True):
    """A gap within the same bounds."""

    start_us: _TimeUs
    end_us: _TimeUs
    events: _Count | None = None


class _Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """All of the body but its events. Unknown keys are left alone: a newer sender may know more than we do."""

    source: _Name
    stream: _Name
    seq: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    started_us: _TimeUs | None = None
    gaps: Annotated[tuple[_WireGap, ...], msgspec.Meta(max_length=1_000)] = ()
    entities: dict[_Name, Labels] = {}


class _Whole(_Envelope, frozen=True, kw_only=True):
    events: list[_WireEvent]


class _Apart(_Envelope, frozen=True, kw_only=True):
    events: list[msgspec.Raw]


class Rejection(msgspec.Struct, frozen=True):
    """Why one event of a batch was refused.

    Attributes:
        index: The event's place in the batch, from 0.
        entity_id: As far as it could be read.
        reason: A sentence that names the field.
    """

    index: int
    entity_id: str | None
    reason: str

    @property
    def kind(self) -> str:
        """What the reason is about, of few different texts, so that rejections can be counted by it."""
        return f"{self.reason.partition(':')[0]} malformed"


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A decoded body.

    Attributes:
        position: Where the batch stands in its stream.
        entities: New or changed labels, by entity.
        events: Those that could be decoded, in order.
        indices: Each one's place in the batch as it was sent.
        rejected: The others.
    """

    position: Position
    entities: dict[str, Labels]
    events: Sequence[Event]
    indices: Sequence[int]
    rejected: list[Rejection]

    @property
    def received(self) -> int:
        """How many events the body held."""
        return len(self.events) + len(self.rejected)


_decode_whole: Final = msgspec.json.Decoder(_Whole).decode
_decode_apart: Final = msgspec.json.Decoder(_Apart).decode
_decode_event: Final = msgspec.json.Decoder(_WireEvent).decode
_decode_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode


def decode(body: bytes) -> Batch:
    """Return the batch in ``body``.

    Raises:
        Rejected: Not JSON, or not the shape of a batch; the text names the field.
        TooLarge: More than ``MAX_EVENTS`` events.
    """
    try:
        whole = _decode_whole(body)
    except _FAULTS:
        return _one_by_one(body)
    _limit(len(whole.events))
    return Batch(
        position=_position(whole),
        entities=whole.entities,
        events=whole.events,
        indices=range(len(whole.events)),
        rejected=[],
    )


def _one_by_one(body: bytes) -> Batch:
    try:
        apart = _decode_apart(body)
    except _FAULTS as err:
        raise Rejected(_body_fault(err)) from err
    _limit(len(apart.events))
    events: list[Event] = []
    indices: list[int] = []
    rejected: list[Rejection] = []
    for index, raw in enumerate(apart.events):
        try:
            events.append(_decode_event(raw))
        except _FAULTS as err:
            rejected.append(Rejection(index, _entity_id(raw), _event_fault(err)))
        else:
            indices.append(index)
    return Batch(
        position=_position(apart),
        entities=apart.entities,
        events=events,
        indices=indices,
        rejected=rejected,
    )


def _limit(count: int) -> None:
    if count > MAX_EVENTS:
        raise TooLarge(f"events: {count} in one batch, at most {MAX_EVENTS} are taken: send them in several batches")


def _position(envelope: _Envelope) -> Position:
    if envelope.seq == 1 and envelope.started_us is None:
        raise Rejected("started_us: missing; the first batch of a stream tells when its listener was registered")
    return Position(
        source=envelope.source,
        stream=envelope.stream,
        seq=envelope.seq,
        started_us=envelope.started_us,
        gaps=tuple(map(_forwards, envelope.gaps)),
    )


def _forwards(gap: Gap) -> Gap:
    """Turn a gap round that ends before it starts: the sender's clock was set back meanwhile."""
    return Gap(min(gap.start_us, gap.end_us), max(gap.start_us, gap.end_us), gap.events)


def _entity_id(raw: msgspec.Raw) -> str | None:
    """Return the entity of an event that could not be decoded, when that much of it can be read."""
    try:
        return _decode_text(_decode_items(raw)[0])[:255]
    except (*_FAULTS, IndexError):
        return None


_AT_END: Final = re.compile(r" - at `(?P<path>[^`]*)`$")
_EVENT_FIELD: Final = re.compile(r"\$\[(?P<place>\d)\]")


def _body_fault(err: Exception) -> str:
    """Name the part of the body that is at fault."""
    match err:
        case msgspec.ValidationError():
            text, path = _split(err)
            field = path.removeprefix("$").removeprefix(".") or "the body"
            return f"{field}: {text}"
        case RecursionError():
            return "the body is nested too deeply"
        case _:
            return f"the body is not JSON in UTF-8: {err}"


def _event_fault(err: Exception) -> str:
    """Name the field of the event that is at fault."""
    match err:
        case msgspec.ValidationError():
            text, path = _split(err)
            if found := _EVENT_FIELD.match(path):
                return f"{Event.__struct_fields__[int(found['place'])]}: {text}"
            return f"the event: {text}"
        case _:
            return f"the event: not JSON in UTF-8: {err}"


def _split(err: Exception) -> tuple[str, str]:
    """Part msgspec's message into what is wrong and the path to it."""
    text = str(err)
    if found := _AT_END.search(text):
        return text[: found.start()], found["path"]
    return text, ""
