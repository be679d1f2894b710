"""Points for VictoriaMetrics, which keeps numbers only: a text state becomes a series with the state as a tag.

While a thermostat heats, its series with ``state="heat"`` is 1; when it begins to cool, that one becomes 0 and the
one with ``state="cool"`` 1, at the same instant. A state that is a number, or a word such as ``on``, is only its
number. Other texts (of attributes, ids) are left out and counted.

Every new text is a new series for ever, so they are bounded: a text is cut at 100 characters, and an entity has 50
of them, those that are seen first; the others share one, ``other``. The texts of the 2,048 entities that showed one
last (fewer, of very long names and texts), and which of them is 1, are always known (see ``Cache``). A restart of the
server forgets it all: what was known then still has its series, and a text that was 1 ends only if the entity's next
change names it as the previous one.

Changes also come late, from a backfill. Such a text neither ends the one that is 1 now nor takes its place, and ends
itself at the latest when that one began: the change that ended it may have named no previous state, as the first one
after a restart of Home Assistant does. (A clock that was set back looks the same, until its time has come again.)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from sys import getsizeof
from typing import Final, override

from homeiq_server.errors import Rejected
from homeiq_server.history.line_protocol import VICTORIA, Fields, single_line
from homeiq_server.model import Event, Labels

from .cache import Cache
from .conversion import Conversion
from .form import Batch, Form, check, is_oversize
from .layout import Layout, Series
from .milliseconds import SUPERSEDED, last_of_each_millisecond
from .state import GAPS, NO_FINITE_VALUE, Kind, Reading

STATE_TAG: Final = "state"
OTHER: Final = "other"
MAX_TEXT_LENGTH: Final = 100
MAX_TEXTS: Final = 50

_ENTITIES: Final = 2048
_SERIES_LENGTH: Final = 4096  # of the name that they are known by, which other writers choose
_SIZE: Final = 4 * 1024 * 1024  # in memory, of all texts that are known, and as much again of those before
_REMOVED: Final[tuple[Kind, str]] = ("gap", "")


@dataclass(slots=True)
class Current:
    """Which text of an entity is 1, None for none; when it began, and when it was last seen to be."""

    text: str | None
    since_us: int
    seen_us: int

    def began_after(self, time_us: int) -> int:
        """Return the first instant known at which it was this text again, after an earlier one at ``time_us``."""
        return self.since_us if time_us < self.since_us else self.seen_us


class StateTexts:
    """Which texts of an entity have a series of their own, and which of these is 1."""

    def __init__(self) -> None:
        self._known: Cache[str, set[str]] = Cache(entries=_ENTITIES, entry_size=_SIZE, size=_SIZE)
        self._current: Cache[str, Current] = Cache(entries=_ENTITIES, entry_size=_SIZE, size=_SIZE)

    def current(self, entity_id: str) -> Current | None:
        """Return what is 1 now, or None when nothing is known of the entity."""
        return self._current.get(entity_id)

    def begin(self, entity_id: str, text: str | None, time_us: int) -> None:
        """Remember which text is 1 from then on, unless a later one is known."""
        known = self._current.get(entity_id)
        if known is None or (known.text != text and known.seen_us <= time_us):
            size = _size_of((entity_id, text or ""))
            self._current.put(entity_id, Current(text, time_us, time_us), size=size)
        elif known.seen_us < time_us:
            known.seen_us = time_us

    def tag(self, entity_id: str, state: str) -> str:
        """Return the text as it is to be written, never empty."""
        if len(entity_id) > _SERIES_LENGTH:
            return OTHER
        text = single_line(state)[:MAX_TEXT_LENGTH]
        known = self._known.get(entity_id) or set()
        if text and text not in known and len(known) < MAX_TEXTS:
            known.add(text)
            self._known.put(entity_id, known, size=_size_of((entity_id, *known)))
        return text if text in known else OTHER


def _size_of(texts: Iterable[str]) -> int:
    """Return what texts and their places take of the memory, about."""
    return sum(getsizeof(text) + 64 for text in texts)


@dataclass(frozen=True, slots=True)
class Template:
    """What the lines of a series have in common.

    Attributes:
        head: Measurement and tags.
        tail: The numeric fields of the attributes.
        texts: How many fields were left out.
        state_head: As ``head``, up to the value of the state's tag.
        state_tail: The rest of it.
    """

    head: str
    tail: str
    texts: int
    state_head: str
    state_tail: str


class VictoriaForm(Form[Template]):
    """A few lines for each event: its numbers, the text state that begins, those that end."""

    dialect = VICTORIA

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._texts = StateTexts()

    @override
    def convert(self, events: Sequence[Event], labels: Mapping[str, Labels]) -> Conversion:
        if (kept := last_of_each_millisecond(events, self._is_good)) is None:
            return super().convert(events, labels)
        places, superseded = list(kept), len(events) - len(kept)
        conversion = super().convert(list(kept.values()), labels)
        return replace(
            conversion,
            skipped=conversion.skipped | ({SUPERSEDED: superseded} if superseded else {}),
            rejected=[(places[index], reason) for index, reason in conversion.rejected],
        )

    def _is_good(self, event: Event) -> bool:
        if is_oversize(event):
            return False
        try:
            check(event)
            self._layout.series(event.entity_id, "number", bytes(event.attributes), None)
        except Rejected:
            return False
        return True

    @override
    def _add(self, event: Event, labels: Labels | None, batch: Batch) -> str | None:
        begun = self._text(event, event.state)
        ended = self._ended(event, begun)
        kind, number = _REMOVED if event.state is None else self._state(event.state)
        stored = kind != "gap" or (self._layout.keeps_gaps and event.state is not None)
        lines = [self._removal(event, {})] if event.state is None else []
        if stored or ended:
            template = self._template(event, kind, labels)
            if stored and (fields := f"{number}{self._layout.numbers(event)}{template.tail}"):
                lines.append(f"{template.head} {fields[1:]} {event.time_us}")
            lines += [self._state_line(template, text, "0.0", event.time_us) for text in ended]
            if begun is not None:
                lines.append(self._state_line(template, begun, "1.0", event.time_us))
                lines += self._superseded(event, template, begun)
            if stored:
                batch.text_fields += template.texts + self._layout.count_texts(event)
                batch.states_folded += begun == OTHER and event.state != OTHER
            self._texts.begin(event.entity_id, begun, event.time_us)
        batch.add(lines)
        return None if lines else GAPS.get(event.state or "", NO_FINITE_VALUE)

    def _ended(self, event: Event, begun: str | None) -> list[str]:
        """Return the texts that are no longer: the previous one, and the one that was begun last.

        These are two where changes are missing between them. After a restart of Home Assistant an entity has no
        previous state, and what it was before would stay 1 for ever.
        """
        previous, current = self._text(event, event.previous), self._texts.current(event.entity_id)
        last = current.text if current and current.seen_us <= event.time_us else None
        ended = (previous,) if last == previous else (last, previous)
        return [text for text in ended if text is not None and text != begun]

    def _superseded(self, event: Event, template: Template, begun: str) -> list[str]:
        """Return the end of a text that begins before what is known to be current."""
        current = self._texts.current(event.entity_id)
        if current is None or current.text == begun or current.seen_us <= event.time_us:
            return []
        return [self._state_line(template, begun, "0.0", current.began_after(event.time_us))]

    def _text(self, event: Event, state: str | None) -> str | None:
        """Return the text that stands for a state, or None for one that has no series of its own."""
        if state is None:
            return None
        kind, _ = self._state(state)
        if kind == "text" or (kind == "gap" and self._layout.keeps_gaps):
            return self._texts.tag(event.entity_id, state)
        return None

    def _state_line(self, template: Template, text: str, value: str, time_us: int) -> str:
        tags = f"{template.state_head}{self.dialect.key(text)}{template.state_tail}"
        return f"{tags} {self._layout.text_field}={value} {time_us}"

    @override
    def _state_fields(self, state: str, reading: Reading) -> Fields:
        return self._number_field(reading)

    @override
    def _build(self, series: Series) -> tuple[Template, int]:
        measurement, tags = self.dialect.measurement(series.measurement), series.tags
        before = self.dialect.tags({key: value for key, value in tags.items() if key < STATE_TAG})
        after = self.dialect.tags({key: value for key, value in tags.items() if key > STATE_TAG})
        numbers = {key: value for key, value in series.fields.items() if not isinstance(value, str)}
        template = Template(
            head=f"{measurement}{self.dialect.tags(tags)}",
            tail=self.dialect.fields(numbers),
            texts=len(series.fields) - len(numbers),
            state_head=f"{measurement}{before},{STATE_TAG}=",
            state_tail=after,
        )
        return template, 2 * getsizeof(template.head) + getsizeof(template.tail)
