"""The values that travel between the parts. Frozen, no I/O.

Times are microseconds since the Unix epoch, UTC, everywhere (``_us``); the sender computes them by the one
time function of the integration (``time_us.py``), so that the same change always has the same time.
"""

from collections.abc import Mapping

import msgspec


class Labels(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the registries say of an entity, frozen by the sender at the time of the event.

    Attributes:
        area: The area's name; the entity's own, else its device's.
        area_id: The area's id.
        device: The device's name as the user sees it.
        device_id: The device's registry id.
        integration: The domain of the integration that provides the entity.
        device_class: The entity's device class.
        manufacturer: The device's manufacturer.
        model: The device's model.
        sw_version: The device's firmware version.
    """

    area: str | None = None
    area_id: str | None = None
    device: str | None = None
    device_id: str | None = None
    integration: str | None = None
    device_class: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    sw_version: str | None = None


class Event(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """One state change, a JSON array of eight on the wire.

    Attributes:
        entity_id: Such as ``"light.kitchen"``.
        state: The new state, at most 255 characters, or None when the entity was removed.
        attributes: The raw JSON object of the new attributes; of a removal, the last ones it had.
        previous: The state before, or None when the entity is new.
        previous_changed_us: When the previous state was first entered (its ``last_changed``).
        time_us: When the change happened.
        context_id: Home Assistant's context of the change.
        parent_id: The context that caused it, if any.
    """

    entity_id: str
    state: str | None
    attributes: msgspec.Raw
    previous: str | None
    previous_changed_us: int | None
    time_us: int
    context_id: str
    parent_id: str | None


class Statistic(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """One hour of a long-term statistic, a JSON array of eight on the wire.

    Attributes:
        statistic_id: Such as ``"sensor.energy"``, or ``"tibber:energy"`` for one that is no entity's.
        start_us: When its hour began.
        unit: The unit of its values, if they have one.
        mean: The mean, weighted by time.
        min: The smallest value.
        max: The largest value.
        sum: How much came to a counter since its first row, resets left out.
        state: The state at the end.
    """

    statistic_id: str
    start_us: int
    unit: str | None
    mean: float | None
    min: float | None
    max: float | None
    sum: float | None
    state: float | None


class Gap(msgspec.Struct, frozen=True, array_like=True):
    """A stretch of time for which events are known to be missing: ``[start_us, end_us, events]``.

    Attributes:
        start_us: The last instant known to be whole.
        end_us: The first instant known to be whole again.
        events: How many are missing, or None when nobody counted.
    """

    start_us: int
    end_us: int
    events: int | None = None


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Where a batch stands in its stream.

    Attributes:
        source: The Home Assistant instance, its instance uuid.
        stream: One run of the source's forwarder, a fresh uuid for each.
        seq: Counts the stream's batches from 1.
        started_us: When the forwarder's listener was registered; only read from the first batch.
        gaps: What the forwarder knows to have lost since its last batch (its buffer overflowed).
    """

    source: str
    stream: str
    seq: int
    started_us: int | None = None
    gaps: tuple[Gap, ...] = ()


class Lines(msgspec.Struct, frozen=True):
    r"""Line protocol, ready to be sent.

    Attributes:
        body: Lines separated by ``\n``, without one at the end; empty when ``count`` is 0.
        count: How many lines.
        precision: Of the lines' timestamps: ``us``, ``ns``, ``ms`` or ``s``.
    """

    body: bytes
    count: int
    precision: str = "us"


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one request's items.

    The law of the intake is ``received = converted + skipped + rejected + duplicate``.

    Attributes:
        received: Items in the request.
        converted: Items for which there is something to store.
        skipped: By reason: the schema or the target has nothing to store for the item.
        rejected: By reason: the item could not be understood.
    """

    received: int
    converted: int
    skipped: Mapping[str, int]
    rejected: Mapping[str, int]


class Intake(msgspec.Struct, frozen=True, kw_only=True):
    """What one request asks the spool to store, all in one transaction or not at all.

    Attributes:
        channel: ``events``, ``backfill``, ``statistics``, ``telemetry`` or ``line_protocol``.
        tally: Counted in the transaction; as ``duplicate`` when the position was seen before.
        lines: What is to be written to the database.
        position: None for channels without streams.
        last_us: The newest item's time, or None when there is none; what a gap is measured from.
        labels: Entities whose labels are new or changed, as JSON, kept for the source.
    """

    channel: str
    tally: Tally
    lines: Lines
    position: Position | None = None
    last_us: int | None = None
    labels: Mapping[str, bytes] = msgspec.field(default_factory=dict)


class Receipt(msgspec.Struct, frozen=True):
    """The spool's answer, given only after the commit.

    Attributes:
        duplicate: The position was seen before: nothing was stored a second time.
    """

    duplicate: bool = False
