"""What bodies of batches have in common: where they stand in their stream, and items of which each may be bad."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import msgspec

from homeiq_server.errors import Rejected, TooLarge
from homeiq_server.model import Labels, Position

from . import faults

MAX_ITEMS: Final = 5_000

# Nanoseconds in 64 bits, which is how InfluxDB keeps time, end in April 2262.
type TimeUs = Annotated[int, msgspec.Meta(ge=0, le=9_223_372_036_854_775)]
type Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
type Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """All of a body but its items. Unknown keys are left alone: a newer sender may know more than we do."""

    source: Name
    stream: Name
    seq: Annotated[int, msgspec.Meta(ge=1, le=2**53)]


class Rejection(msgspec.Struct, frozen=True):
    """Why one item of a batch was refused.

    Attributes:
        index: The item's place in the batch, from 0.
        entity_id: Its entity, or its statistic, as far as it could be read.
        reason: A sentence that names the field.
    """

    index: int
    entity_id: str | None
    reason: str

    @property
    def kind(self) -> str:
        """What the reason is about, of few different texts, so that rejections can be counted by it."""
        return f"{self.reason.partition(':')[0]} malformed"


@dataclass(frozen=True, slots=True)
class Items[Item]:
    """The items of a body.

    Attributes:
        good: Those that could be decoded, in order.
        indices: Each one's place in the batch as it was sent.
        bad: Why the others could not.
    """

    good: Sequence[Item]
    indices: Sequence[int]
    bad: Sequence[Rejection]


@dataclass(frozen=True, slots=True)
class Batch[Item]:
    """A decoded body.

    Attributes:
        position: Where the batch stands in its stream.
        items: What it holds.
        entities: New or changed labels, by entity.
    """

    position: Position
    items: Items[Item]
    entities: Mapping[str, Labels] = field(default_factory=dict)

    @property
    def received(self) -> int:
        """How many items the body held."""
        return len(self.items.good) + len(self.items.bad)


class BodyDecoder[Head: Envelope, Item: msgspec.Struct]:
    """Decodes bodies of one kind: as a whole, or item by item when that fails."""

    def __init__(self, *, whole: type[Head], apart: type[Head], item: type[Item], key: str, noun: str) -> None:
        """Name the shapes.

        Args:
            whole: The body with its items decoded.
            apart: The body with its items as they came.
            item: An array-like item, whose first field is its name.
            key: What the list of items is called.
            noun: What one of them is called in a sentence.
        """
        self._whole = msgspec.json.Decoder(whole).decode
        self._apart = msgspec.json.Decoder(apart).decode
        self._one = msgspec.json.Decoder(item).decode
        self._item, self._key, self._noun = item, key, noun

    def decode(self, body: bytes) -> tuple[Head, Items[Item]]:
        """Return the body, and its items.

        Raises:
            Rejected: Not JSON, or not the shape of a body; the text names the field.
            TooLarge: More than ``MAX_ITEMS`` items.
        """
        try:
            whole = self._whole(body)
        except faults.FAULTS:
            return self._one_by_one(body)
        items: list[Item] = self._limited(whole)
        return whole, Items(items, range(len(items)), ())

    def _one_by_one(self, body: bytes) -> tuple[Head, Items[Item]]:
        try:
            apart = self._apart(body)
        except faults.FAULTS as err:
            raise Rejected(faults.of_body(err)) from err
        raws: list[msgspec.Raw] = self._limited(apart)
        good: list[Item] = []
        indices: list[int] = []
        bad: list[Rejection] = []
        for index, raw in enumerate(raws):
            try:
                good.append(self._one(raw))
            except faults.FAULTS as err:
                bad.append(Rejection(index, _name(raw), faults.of_item(err, self._item, noun=self._noun)))
            else:
                indices.append(index)
        return apart, Items(good, indices, bad)

    def _limited(self, head: Head) -> list[Any]:
        items: list[Any] = getattr(head, self._key)
        if (count := len(items)) > MAX_ITEMS:
            raise TooLarge(f"{self._key}: {count} in one batch, at most {MAX_ITEMS} are taken: send several batches")
        return items


def _name(raw: msgspec.Raw) -> str | None:
    """Return the name of an item that could not be decoded, when that much of it can be read."""
    try:
        return _decode_text(_decode_items(raw)[0])[:255]
    except (*faults.FAULTS, IndexError):
        return None


_decode_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode
