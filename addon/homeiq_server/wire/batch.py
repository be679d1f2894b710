"""What bodies of batches have in common: where they stand in their stream, and items of which each may be bad."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import msgspec

from homeiq_server.errors import Rejected, TooLarge
from homeiq_server.model import Labels, Position

from . import faults

MAX_ITEMS: Final = 5_000
_MANY_BRACKETS: Final = 4 * MAX_ITEMS

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


_MISSING: Final = msgspec.Raw()

_Raws: Final = msgspec.defstruct(
    "_Raws", [(f"item_{n}", msgspec.Raw, _MISSING) for n in range(MAX_ITEMS + 1)], array_like=True, gc=False
)
"""The items as they came, and passes over more than one too many: a list has room for millions of small ones."""


class BodyDecoder[Head: Envelope, Item: msgspec.Struct]:
    """Decodes bodies of one kind: as a whole, or item by item when that fails."""

    def __init__(self, *, whole: type[Head], head: type[Head], item: type[Item], key: str, noun: str) -> None:
        """Name the shapes.

        Args:
            whole: The body with its items decoded.
            head: The body without them.
            item: An array-like item, whose first field is its name.
            key: What the list of items is called.
            noun: What one of them is called in a sentence.
        """
        self._whole = msgspec.json.Decoder(whole).decode
        apart: Any = msgspec.defstruct("Apart", [(key, _Raws)], bases=(head,), frozen=True, kw_only=True)
        self._apart: Callable[[bytes | bytearray], Head] = msgspec.json.Decoder(apart).decode
        self._one = msgspec.json.Decoder(item).decode
        self._item, self._key, self._noun = item, key, noun

    def decode(self, body: bytes | bytearray) -> tuple[Head, Items[Item]]:
        """Return the body, and its items.

        Raises:
            Rejected: Not JSON, or not the shape of a body; the text names the field.
            TooLarge: More than ``MAX_ITEMS`` items.
        """
        # Each item is an array. Where there may be far too many, none is made into an object before they are counted.
        if body.count(b"[") > _MANY_BRACKETS:
            return self._one_by_one(body)
        try:
            whole = self._whole(body)
        except faults.FAULTS:
            return self._one_by_one(body)
        items: list[Item] = getattr(whole, self._key)
        if len(items) > MAX_ITEMS:
            raise self._too_many(str(len(items)))
        return whole, Items(items, range(len(items)), ())

    def _one_by_one(self, body: bytes | bytearray) -> tuple[Head, Items[Item]]:
        try:
            apart = self._apart(body)
        except faults.FAULTS as err:
            raise Rejected(faults.of_body(err)) from err
        raws: Sequence[msgspec.Raw] = msgspec.structs.astuple(getattr(apart, self._key))
        if raws[MAX_ITEMS] is not _MISSING:
            raise self._too_many("more than that")
        good: list[Item] = []
        indices: list[int] = []
        bad: list[Rejection] = []
        for index, raw in enumerate(raws):
            if raw is _MISSING:
                break
            try:
                good.append(self._one(raw))
            except faults.FAULTS as err:
                bad.append(Rejection(index, _name(raw), faults.of_item(err, self._item, noun=self._noun)))
            else:
                indices.append(index)
        return apart, Items(good, indices, bad)

    def _too_many(self, count: str) -> TooLarge:
        return TooLarge(f"{self._key}: {count} in one batch, at most {MAX_ITEMS} are taken: send several batches")


class _Named(msgspec.Struct, array_like=True):
    """An item of which nothing but its name is read."""

    name: str


_decode_name: Final = msgspec.json.Decoder(_Named).decode


def _name(raw: msgspec.Raw) -> str | None:
    """Return the name of an item that could not be decoded, when that much of it can be read."""
    try:
        return _decode_name(raw).name[:255]
    except faults.FAULTS:
        return None


def read_part[Part](raw: msgspec.Raw, decode: Callable[[msgspec.Raw], Part], *, key: str) -> Part:
    """Return a part of a body.

    Raises:
        Rejected: It has another shape; the text names the field.
    """
    try:
        return decode(raw)
    except faults.FAULTS as err:
        raise Rejected(faults.of_body(err, whole=key, within=key)) from err


def check_count(count: int, limit: int, *, key: str) -> None:
    """Return when a part of a body is small enough.

    Raises:
        TooLarge: It is not.
    """
    if count > limit:
        raise TooLarge(f"{key}: {count} in one batch, at most {limit} are taken: send several batches")
