"""What is sent instead of lines whose fields have a type that the database was seen to refuse."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from homeiq_server.errors import Rejected
from homeiq_server.history import line_parts
from homeiq_server.history.line_parts import Parts
from homeiq_server.history.line_protocol import INFLUX

from .conflicts import Conflicts, Place, Rule, week_of
from .field_types import coerced, conflict_in, kind_of


class Changes(NamedTuple):
    """How many fields are sent as another type, and how many under another key."""

    coerced: int = 0
    diverted: int = 0


class Draft:
    """The lines of one request as they are and as they are sent.

    Where nothing is lost a value is spelt as the type that the database has; else the field goes to a key of its own,
    ``value_string`` for a text that came as ``value``.

    Attributes:
        lines: As they are.
        sent: As they are sent.
    """

    def __init__(self, lines: Sequence[bytes], *, precision: str, conflicts: Conflicts) -> None:
        """Retype what the known conflicts concern."""
        self.lines: Final = lines
        self.sent = list(lines)
        self._precision = precision
        self._conflicts = conflicts
        self._changes: dict[int, Changes] = {}
        self.retype(range(len(lines)))

    def retype(self, indices: Collection[int]) -> None:
        """Write lines anew by what is known now."""
        if not self._conflicts:
            return
        for index in indices:
            if self._conflicts.concern(self.lines[index]) and (parts := _read(self.lines[index])):
                self.sent[index], self._changes[index] = self._retyped(index, parts)

    def condemns(self, index: int, why: str) -> bool:
        """Learn from a line's refusal; return whether it is a dead letter: what shows a conflict first, or again."""
        conflict = conflict_in(why)
        if conflict is None or (parts := _read(self.lines[index])) is None:
            return True
        places = [
            self._place(parts, key, value)
            for key, value in parts.fields
            if INFLUX.read_key(key.decode(errors="replace")) == conflict.field
        ]
        if not places:
            return True  # it is the other key, to which a field was sent instead, that is refused
        if (rule := self._conflicts.rule(places[0])) is None:
            if places[0].kind == conflict.got:
                self._conflicts.remember(places[0], conflict.exists)
            return True
        if places[0].kind != conflict.got:
            rule.coerces = False
        return self._retyped(index, parts)[0] == self.sent[index]

    def changes(self, without: Collection[int]) -> Changes:
        """Return how much was changed in the lines that the database took, all but ``without``."""
        taken = [changes for index, changes in self._changes.items() if index not in without]
        return Changes(sum(some.coerced for some in taken), sum(some.diverted for some in taken))

    def _retyped(self, index: int, parts: Parts) -> tuple[bytes, Changes]:
        changes = Changes()
        fields = dict(parts.fields)
        for key, value in list(fields.items()):
            place = self._place(parts, key, value)
            rule = self._conflicts.rule(place)
            if rule is None:
                continue
            if (other := _coerced(value, rule)) is not None:
                fields[key] = other
                changes = changes._replace(coerced=changes.coerced + 1)
            elif (new_key := b"%b_%b" % (key, place.kind.encode())) not in fields:
                fields[new_key] = fields.pop(key)
                changes = changes._replace(diverted=changes.diverted + 1)
        return (_line(parts, fields), changes) if any(changes) else (self.lines[index], changes)

    def _place(self, parts: Parts, key: bytes, value: bytes) -> Place:
        return Place(parts.measurement, key, kind_of(value), week_of(parts.time, self._precision))


def _name(key: bytes) -> str:
    return INFLUX.read_key(key.decode(errors="replace"))


def _read(line: bytes) -> Parts | None:
    try:
        return line_parts.read(line)
    except Rejected:
        return None


def _coerced(value: bytes, rule: Rule) -> bytes | None:
    return coerced(value, rule.exists) if rule.coerces else None


def _line(parts: Parts, fields: Mapping[bytes, bytes]) -> bytes:
    body = b",".join(b"%b=%b" % field for field in fields.items())
    return b"%b %b" % (parts.head, body) + (b"" if parts.time is None else b" %d" % parts.time)
