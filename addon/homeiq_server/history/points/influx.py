"""Points for InfluxDB: one line for each event, with text in string fields."""

from sys import getsizeof
from typing import Final, override

from homeiq_server.history.line_protocol import INFLUX, Fields
from homeiq_server.model import Event, Labels

from .form import Batch, Form
from .layout import Series
from .state import GAPS, NO_FINITE_VALUE, Reading

REMOVED_STATE: Final = "removed"
"""What the gap marker of a removal says in the entity's own series."""


class InfluxForm(Form[tuple[str, str]]):
    """The template is measurement with tags, and the fields of the attributes."""

    dialect = INFLUX

    @override
    def _add(self, event: Event, labels: Labels | None, batch: Batch) -> str | None:
        if event.state is None:
            batch.add(self._removal_lines(event, labels))
            return None
        kind, state = self._state(event.state)
        if kind == "gap" and not self._layout.keeps_gaps:
            return GAPS[event.state]
        head, tail = self._template(event, kind, labels)
        fields = f"{state}{self._layout.numbers(event)}{self._layout.texts(event)}{tail}"
        if not fields:
            return NO_FINITE_VALUE
        batch.add((f"{head} {fields[1:]} {event.time_us}",))
        return None

    def _removal_lines(self, event: Event, labels: Labels | None) -> list[str]:
        lines = [self._removal(event, {} if event.previous is None else {"previous_state": event.previous})]
        if self._layout.keeps_gaps:
            head, tail = self._template(event, "gap", labels)
            state = self.dialect.fields({self._layout.text_field: REMOVED_STATE})
            fields = f"{state}{self._layout.numbers(event)}{self._layout.texts(event)}{tail}"
            lines.append(f"{head} {fields[1:]} {event.time_us}")
        return lines

    @override
    def _state_fields(self, state: str, reading: Reading) -> Fields:
        with_text = self._layout.text_of_numbers or reading.kind != "number"
        text = {self._layout.text_field: state} if with_text else {}
        return {**text, **self._number_field(reading)}

    @override
    def _build(self, series: Series) -> tuple[tuple[str, str], int]:
        head = f"{self.dialect.measurement(series.measurement)}{self.dialect.tags(series.tags)}"
        tail = self.dialect.fields(series.fields)
        return (head, tail), getsizeof(head) + getsizeof(tail)
