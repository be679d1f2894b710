"""What a schema says of an event, before it is text for one database."""

from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from homeiq_server.errors import Rejected
from homeiq_server.history.line_protocol import Field
from homeiq_server.model import Event, Labels

from .state import Kind

_ATTRIBUTES = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class Series:
    """The part of a point that stays the same while an entity's attributes do.

    Attributes:
        measurement: Not empty.
        tags: Empty ones are not written.
        fields: From the attributes and the labels.
    """

    measurement: str
    tags: dict[str, str]
    fields: dict[str, Field]


class Layout(Protocol):
    """Which measurement, tags and fields an event has.

    Attributes:
        number_field: The field of a state's number.
        text_field: The field of a state's text.
        text_of_numbers: The text is stored besides the number, for every state.
        keeps_gaps: States that say nothing are stored too.
        reads_labels: The points depend on the labels.
    """

    number_field: str
    text_field: str
    text_of_numbers: bool
    keeps_gaps: bool
    reads_labels: bool

    def identity(self, entity_id: str) -> dict[str, str]:
        """Return the tags that name an entity, whatever its attributes.

        Raises:
            Rejected: This is not an entity id.
        """
        ...

    def series(self, entity_id: str, kind: Kind, attributes: bytes, labels: Labels | None) -> Series:
        """Return what depends on nothing else, so that it can be cached.

        Raises:
            Rejected: This is not an entity id, or not a JSON object of attributes.
        """
        ...

    def numbers(self, event: Event) -> str:
        """Return ``,key=value`` for each numeric field of the change itself."""
        ...

    def texts(self, event: Event) -> str:
        """Return ``,key="value"`` for each text field of the change itself."""
        ...

    def count_texts(self, event: Event) -> int:
        """Return how many fields ``texts`` would give."""
        ...


def split_entity_id(entity_id: str) -> tuple[str, str]:
    """Return domain and object id.

    Raises:
        Rejected: One of them is missing.
    """
    domain, _, object_id = entity_id.partition(".")
    if not domain or not object_id:
        raise Rejected("entity_id is not of the form domain.object_id")
    return domain, object_id


def decode_attributes(attributes: bytes) -> dict[str, Any]:
    """Return the attributes in their order.

    Raises:
        Rejected: This is not a JSON object.
    """
    try:
        return _ATTRIBUTES.decode(attributes)
    except (ValueError, RecursionError) as err:
        raise Rejected("attributes are not a JSON object") from err
