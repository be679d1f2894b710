"""How an option is declared: its name, what a value looks like, what it means."""

from dataclasses import dataclass, field
from typing import Any, Literal, override

from . import checks as check

type Kind = Literal["text", "number", "switch", "list", "table"]


class Secret:
    """A text that no log, repr or error shows."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, for the one who has to send it."""
        return self._text

    @override
    def __repr__(self) -> str:
        return "Secret(...)"


def secret(value: object) -> Secret:
    """Accept a text of one line and hide it."""
    return Secret(check.text(value))


def secret_url(value: object) -> Secret:
    """Accept the address of a PostgreSQL database and hide it: the password is part of it."""
    return Secret(check.postgresql_url(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What is known of an option beside its name.

    Attributes:
        name: Its key.
        default: As a person reads it.
        check: A validator for voluptuous, which may turn the given value into the kept one.
        kind: How a text from the environment is read.
        shape: What a value looks like; completes the sentence "it must be ...".
        meaning: What it does, for the table in the documentation.
    """

    name: str
    default: str
    check: check.Check[object]
    kind: Kind
    shape: str
    meaning: str


# Typed as Any, as dataclasses.field() itself is, so that each field has the type of its values.
def option(default: object, validate: check.Check[object], kind: Kind, shape: str, meaning: str) -> Any:  # noqa: ANN401
    """Declare an option where its field stands."""
    return field(default=default, metadata={"check": validate, "kind": kind, "shape": shape, "meaning": meaning})
