"""From a batch of events to lines; what the forms for the two families of databases have in common."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from homeiq_server.errors import Rejected, TooLarge
from homeiq_server.history.line_protocol import Dialect, Fields
from homeiq_server.model import Event, Labels, Lines

from .cache import Cache
from .conversion import Conversion
from .layout import Layout, Series
from .state import MAX_STATE_LENGTH, Kind, Reading, read

MAX_TIME_US: Final = (2**63 - 1) // 1000
"""The databases keep nanoseconds in 64 bits."""

MAX_ENTITY_ID_LENGTH: Final = 255
"""In characters; Home Assistant's own limit."""

REMOVED: Final = "homeiq_removed"
"""The measurement of removals, which are kept whatever the settings say."""

OVERSIZE: Final = "homeiq_oversize"
"""The measurement of events that are too large for any database, and so become dead letters."""

MAX_ATTRIBUTES_BYTES: Final = 256 * 1024
"""As JSON, the most that is taken apart, which needs fifty times as much memory; as much as a line may have."""

MAX_LINES_BYTES: Final = 8 * 1024 * 1024
"""Of a batch: twice what came, where all attributes become text of their own."""

_STATES: Final = 2048
"""Encoded states that are remembered, the least recently used is forgotten; a state is at most 255 characters."""

_TEMPLATES: Final = 2048
_TEMPLATE_SIZE: Final = 16 * 1024  # in memory, key and value together
_TEMPLATES_SIZE: Final = 4 * 1024 * 1024  # all of them, and as much again of those used before


@dataclass(slots=True)
class Batch:
    """A conversion in the making; ``text_fields`` and ``states_folded`` were left out."""

    lines: list[bytes] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    rejected: list[tuple[int, str]] = field(default_factory=list)
    text_fields: int = 0
    states_folded: int = 0
    _size: int = 0

    def add(self, lines: Iterable[str]) -> None:
        """Add the lines of an event.

        Raises:
            TooLarge: All together take too much memory.
        """
        for line in lines:
            # What came as JSON is always proper Unicode; a made-up event must not cost its batch either.
            encoded = line.encode(errors="replace")
            self._size += len(encoded)
            if self._size > MAX_LINES_BYTES:
                raise TooLarge(f"its points take more than {MAX_LINES_BYTES} bytes: send several batches")
            self.lines.append(encoded)

    def add_oversize(self, line: bytes) -> None:
        """Add a line that no database takes: its event is kept whole in a dead letter."""
        self.lines.append(line)

    def conversion(self, *, received: int, last_us: int) -> Conversion:
        """Join the lines."""
        return Conversion(
            lines=Lines(body=b"\n".join(self.lines), count=len(self.lines)),
            converted=received - self.skipped.total() - len(self.rejected),
            skipped=dict(self.skipped),
            rejected=self.rejected,
            last_us=last_us if last_us >= 0 else None,
            left_out={"text fields": self.text_fields, "states folded": self.states_folded},
        )


class Form[Template](ABC):
    """Writes the events of a layout for one family of databases.

    What a line has of the entity, its attributes and its labels is its template. Templates are cached by the
    attributes as they came, undecoded: in a home they hardly ever change. ``Template`` is the subclass's own.
    """

    dialect: Dialect

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._templates: Cache[tuple[str, Kind, bytes, Labels | None], Template] = Cache(
            entries=_TEMPLATES, entry_size=_TEMPLATE_SIZE, size=_TEMPLATES_SIZE
        )
        self._state: Callable[[str], tuple[Kind, str]] = lru_cache(maxsize=_STATES)(self._encode_state)

    def convert(self, events: Sequence[Event], labels: Mapping[str, Labels]) -> Conversion:
        """Convert a batch; see ``Schema``."""
        batch, last_us = Batch(), -1
        labels = labels if self._layout.reads_labels else {}
        for index, event in enumerate(events):
            try:
                check(event)
                if is_oversize(event):
                    batch.add_oversize(self._oversize(event))
                    reason = None
                else:
                    reason = self._add(event, labels.get(event.entity_id), batch)
            except Rejected as err:
                batch.rejected.append((index, str(err)))
                continue
            if reason is not None:
                batch.skipped[reason] += 1
            last_us = max(last_us, event.time_us)
        return batch.conversion(received=len(events), last_us=last_us)

    @abstractmethod
    def _add(self, event: Event, labels: Labels | None, batch: Batch) -> str | None:
        """Add the event's lines; or add none, and return why there is nothing to write.

        Raises:
            Rejected: The event cannot be understood; no line of it was added.
        """

    @abstractmethod
    def _state_fields(self, state: str, reading: Reading) -> Fields:
        """Return the fields of a state."""

    @abstractmethod
    def _build(self, series: Series) -> tuple[Template, int]:
        """Return what lines of the series have in common, and its size in memory."""

    def _encode_state(self, state: str) -> tuple[Kind, str]:
        reading = read(state)
        return reading.kind, self.dialect.fields(self._state_fields(state, reading))

    def _number_field(self, reading: Reading) -> Fields:
        return {} if reading.number is None else {self._layout.number_field: reading.number}

    def _template(self, event: Event, kind: Kind, labels: Labels | None) -> Template:
        # The attributes are copied: as they are, they hold the whole request in memory.
        key = (event.entity_id, kind, bytes(event.attributes), labels)
        if (template := self._templates.get(key)) is None:
            template, size = self._build(self._layout.series(*key))
            self._templates.put(key, template, size=size + len(key[2]))
        return template

    def _oversize(self, event: Event) -> bytes:
        """Return the event with its attributes as they came: to take them apart would need too much memory."""
        tags = self.dialect.tags(self._layout.identity(event.entity_id))
        state = "" if event.state is None else self.dialect.fields({"state": event.state})
        attributes = bytes(event.attributes).replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b" ")
        head = f'{OVERSIZE}{tags} value=1.0{state},attributes="'.encode(errors="replace")
        return b'%b%b" %d' % (head, attributes, event.time_us)

    def _removal(self, event: Event, fields: Fields) -> str:
        tags = self.dialect.tags(self._layout.identity(event.entity_id))
        return f"{REMOVED}{tags} {self.dialect.fields({'value': 1.0, **fields})[1:]} {event.time_us}"


def is_oversize(event: Event) -> bool:
    """Tell whether the event's line would be longer than any database takes."""
    return memoryview(event.attributes).nbytes > MAX_ATTRIBUTES_BYTES


def check(event: Event) -> None:
    """Refuse what would be too large or too far away, whatever the schema.

    Raises:
        Rejected: With the reason.
    """
    if len(event.entity_id) > MAX_ENTITY_ID_LENGTH:
        raise Rejected(f"entity_id is longer than {MAX_ENTITY_ID_LENGTH} characters")
    if event.state is not None and len(event.state) > MAX_STATE_LENGTH:
        raise Rejected(f"state is longer than {MAX_STATE_LENGTH} characters")
    if event.previous is not None and len(event.previous) > MAX_STATE_LENGTH:
        raise Rejected(f"previous state is longer than {MAX_STATE_LENGTH} characters")
    if not 0 <= event.time_us <= MAX_TIME_US:
        raise Rejected("time_us is outside of what a database can keep")
