"""The body of ``POST /api/v1/registry``: a part of a snapshot of Home Assistant's registries, or a diff of them."""

import re
from typing import Annotated, Final

import msgspec

from homeiq_server.errors import Rejected
from homeiq_server.registry import Removed, Rows

from . import faults
from .batch import Name, TimeUs

MAX_PARTS: Final = 64
_INT4: Final = range(-(2**31), 2**31)
_INT8: Final = range(-(2**63), 2**63)

# An escaped NUL, which follows an even number of backslashes.
_NUL: Final = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


class RegistryPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a snapshot, or a diff. Unknown keys are left alone: a newer sender may know more than we do.

    Attributes:
        revision: The time at which the content was read; each of a source is greater than the one before.
        part: Its place in the snapshot, from 0.
        last: Whether it is the final one.
        base: The revision that a diff builds on; a snapshot has none.
        rows: Of a snapshot all there are, of a diff those that are new or changed.
        removed: Of a diff, what is gone.
    """

    source: Name
    revision: TimeUs
    part: Annotated[int, msgspec.Meta(ge=0, lt=MAX_PARTS)]
    last: bool
    base: TimeUs | None = None
    rows: Rows = Rows()
    removed: Removed | None = None


_decode: Final = msgspec.json.Decoder(RegistryPart).decode


def decode_registry(body: bytes | bytearray) -> RegistryPart:
    """Return the part in ``body``, without NUL characters: some devices fill their texts up with them.

    Raises:
        Rejected: Not JSON, not the shape of a part, or a number that the store cannot hold; the text names the field.
    """
    try:
        part = _decode(_NUL.sub(rb"\1", body) if rb"\u0000" in body else body)
    except faults.FAULTS as err:
        raise Rejected(faults.of_body(err)) from err
    _check_place(part)
    _check_numbers(part.rows)
    return part


def _check_place(part: RegistryPart) -> None:
    if part.base is None:
        if part.removed not in {None, Removed()}:
            raise Rejected(
                "removed: a snapshot tells what there is; what is gone belongs into a diff, which has a base"
            )
    elif part.part or not part.last:
        raise Rejected(f"part: {part.part} of a diff, which is one part: 0, and the last")


def _check_numbers(rows: Rows) -> None:
    for index, floor in enumerate(rows.floors):
        if floor.level is not None and floor.level not in _INT4:
            raise Rejected(f"rows.floors[{index}].level: {floor.level} is no number of 32 bits")
    for index, entity in enumerate(rows.entities):
        if entity.supported_features not in _INT8:
            raise Rejected(f"rows.entities[{index}].supported_features: more than 64 bits")
