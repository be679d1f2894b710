"""State changes as the app reads them: the body of ``POST /api/v1/events``."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from homeassistant.core import Context, EventStateChangedData
from homeassistant.helpers.json import json_bytes, json_fragment

from .time_us import time_us

# Entity, state, attributes, previous state, since when that, when, context, its parent: ``homeiq_server.model.Event``.
# A plain tuple, because it is the fastest that Home Assistant's encoder takes. A fragment is JSON already.
type Attributes = Mapping[str, Any] | json_fragment
type Change = tuple[str, str | None, Attributes, str | None, int | None, int, str, str | None]
type Gap = tuple[int, int, int]  # first and last instant in µs, and how many events are missing between them

ENTITY_ID: Final = 0
TIME_US: Final = 5
MAX_BODY_BYTES: Final = 4 * 1024 * 1024
MAX_BATCH_EVENTS: Final = 5_000


@dataclass(slots=True, eq=False)
class Stream:
    """One run of the forwarder. The app knows a batch by source, stream and seq, and stores it once.

    Attributes:
        source: This Home Assistant, by its instance uuid.
        whole_since_us: From here on this stream holds every change; the app opens a gap up to it.
        id: A fresh uuid.
        seq: Of the next batch, from 1.
    """

    source: str
    whole_since_us: int
    id: str = field(default_factory=lambda: uuid4().hex)
    seq: int = 1


@dataclass(slots=True, eq=False)
class Batch:
    """What travels together, and stays in the buffer until the app has it.

    Attributes:
        events: In order; may be empty, to announce a stream or to carry gaps.
        gaps: What the buffer has lost before these events.
        suspect: An event that was refused alone, and why; this batch goes without it, to tell whose fault it was.
        stream: Under which ``body`` was built.
        body: Kept, so that a second attempt is the same to the byte; None until built.
        attempts: How often this body has been sent. After a first one the app may have stored it.
    """

    events: Sequence[Change]
    gaps: Sequence[Gap] = ()
    suspect: tuple[Change, str] | None = None
    stream: Stream | None = None
    body: bytes | None = None
    attempts: int = 0

    def __len__(self) -> int:
        """Return the number of events that depend on this batch."""
        return len(self.events) + (self.suspect is not None)


def as_change(data: EventStateChangedData, context: Context, timestamp: float) -> Change:
    """Return what the app needs of a state change; with a removal go the old attributes."""
    new, old = data["new_state"], data["old_state"]
    last: Mapping[str, Any] = old.attributes if old is not None else {}
    return (
        data["entity_id"],
        None if new is None else new.state,
        last if new is None else new.attributes,
        None if old is None else old.state,
        None if old is None else time_us(old.last_changed_timestamp),
        time_us(timestamp),
        context.id,
        context.parent_id,
    )


def serialise(events: Sequence[Change], refuse: Callable[[Change, str], None]) -> tuple[bytes, Sequence[Change]]:
    """Return the events as JSON arrays joined by commas, and those that it holds.

    All at once, because that is fast; when one of them cannot be serialised, each by itself, so that it costs
    nothing but itself: it goes to ``refuse``, with the reason. A removal goes without its attributes instead: that
    the entity is gone matters more than what it last had.
    """
    try:
        return json_bytes(events)[1:-1], events
    except TypeError, ValueError:  # Home Assistant's encoder, on an object it does not know or an integer over 64 bits.
        pass
    parts, kept = [], []
    for event in events:
        entity_id, state, _, *rest = event
        try:
            parts.append(json_bytes(event))
        except (TypeError, ValueError) as err:
            if state is not None:
                refuse(event, f"cannot be serialised: {err}")
                continue
            parts.append(json_bytes((entity_id, state, {}, *rest)))
        kept.append(event)
    return b",".join(parts), kept


def build_body(
    stream: Stream, gaps: Sequence[Gap], entities: Mapping[str, Mapping[str, str]], events: Iterable[bytes]
) -> bytes:
    """Return the body of the stream's next batch; ``events`` are pieces made by ``serialise``."""
    head: dict[str, Any] = {"source": stream.source, "stream": stream.id, "seq": stream.seq}
    if stream.seq == 1:
        head["started_us"] = stream.whole_since_us
    if gaps:
        head["gaps"] = gaps
    if entities:
        head["entities"] = entities
    return b"%b,%b%b]}" % (json_bytes(head)[:-1], b'"events":[', b",".join(part for part in events if part))
