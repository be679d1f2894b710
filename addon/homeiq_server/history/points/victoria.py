"""Points for VictoriaMetrics, which keeps numbers only: a text state becomes a series with the state as a tag.

While a thermostat heats, its series with ``state="heat"`` is 1; when it begins to cool, that one becomes 0 and the
one with ``state="cool"`` 1, at the same instant. A state that is a number, or a word such as ``on``, is only its
number. Other texts (of attributes, ids) are left out and counted.

Every new text is a new series for ever, so they are bounded: a text is cut at 100 characters, and an entity has 50
of them, those that are seen first; the others share one, ``other``. The texts of the 2,048 entities that showed one
last are always known (see ``Cache``); a restart forgets them all, and what was known then still has its series.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, override

from homeiq_server.history.line_protocol import VICTORIA, Fields, single_line
from homeiq_server.model import Event, Labels

from .cache import Cache
from .conversion import Conversion
from .form import Batch, Form
from .layout import Layout, Series
from .milliseconds import SUPERSEDED, last_of_each_millisecond
from .state import GAPS, NO_FINITE_VALUE, Kind, Reading

STATE_TAG: Final = "state"
OTHER: Final = "other"
MAX_TEXT_LENGTH: Final = 100
MAX_TEXTS: Final = 50

_ENTITIES: Final = 2048
_REMOVED: Final[tuple[Kind, str]] = ("gap", "")


class StateTexts:
    """Which texts of an entity have a series of their own."""

    def __init__(self) -> None:
        self._known: Cache[str, set[str]] = Cache(entries=_ENTITIES)

    def tag(self, entity_id: str, state: str) -> str:
        """Return the text as it is to be written, never empty."""
        text = single_line(state)[:MAX_TEXT_LENGTH]
        if (known := self._known.get(entity_id)) is None:
            known = set()
            self._known.put(entity_id, known)
        if text and len(known) < MAX_TEXTS:
            known.add(text)
        return text if text in known else OTHER


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
    """Up to three lines for each event: its numbers, the text state that begins, the one that ends."""

    dialect = VICTORIA

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self._texts = StateTexts()

    @override
    def convert(self, events: Sequence[Event], labels: Mapping[str, Labels]) -> Conversion:
        convert = super().convert
        kept = last_of_each_millisecond(events, lambda event: not convert([event], labels).rejected)
        if kept is None:
            return convert(events, labels)
        places, superseded = list(kept), len(events) - len(kept)
        conversion = convert(list(kept.values()), labels)
        return replace(
            conversion,
            skipped=conversion.skipped | ({SUPERSEDED: superseded} if superseded else {}),
            rejected=[(places[index], reason) for index, reason in conversion.rejected],
        )

    @override
    def _add(self, event: Event, labels: Labels | None, batch: Batch) -> str | None:
        ended, begun = self._text(event, event.previous), self._text(event, event.state)
        kind, number = _REMOVED if event.state is None else self._state(event.state)
        stored = kind != "gap" or (self._layout.keeps_gaps and event.state is not None)
        lines = [self._removal(event, {})] if event.state is None else []
        if stored or ended is not None:
            template = self._template(event, kind, labels)
            if stored and (fields := f"{number}{self._layout.numbers(event)}{template.tail}"):
                lines.append(f"{template.head} {fields[1:]} {event.time_us}")
            if ended is not None and ended != begun:
                lines.append(self._state_line(event, template, ended, "0.0"))
            if begun is not None:
                lines.append(self._state_line(event, template, begun, "1.0"))
            if stored:
                batch.text_fields += template.texts + self._layout.count_texts(event)
                batch.states_folded += begun == OTHER and event.state != OTHER
        batch.lines += lines
        return None if lines else GAPS.get(event.state or "", NO_FINITE_VALUE)

    def _text(self, event: Event, state: str | None) -> str | None:
        """Return the text that stands for a state, or None for one that has no series of its own."""
        if state is None:
            return None
        kind, _ = self._state(state)
        if kind == "text" or (kind == "gap" and self._layout.keeps_gaps):
            return self._texts.tag(event.entity_id, state)
        return None

    def _state_line(self, event: Event, template: Template, text: str, value: str) -> str:
        tags = f"{template.state_head}{self.dialect.key(text)}{template.state_tail}"
        return f"{tags} {self._layout.text_field}={value} {event.time_us}"

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
        return template, 2 * len(template.head) + len(template.tail)
