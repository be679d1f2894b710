"""The registries as requests: all of them in parts, or what has changed."""

import asyncio
from collections.abc import AsyncGenerator
from itertools import batched
from typing import Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.json import json_bytes

from .registry_marks import Marks
from .registry_rows import ENTITIES, KINDS, RegistryRows, encode

PART_BYTES: Final = 2 * 1024 * 1024
_SLICE_ROWS: Final = 25  # About a millisecond of work; between two slices the event loop goes on.

type EntityIds = dict[str, str | None]
"""The registry's id by entity id, None for one that is gone."""
type _Pieces = dict[str, list[bytes]]


class RegistryBodies:
    """Builds the bodies for ``POST /api/v1/registry`` of one Home Assistant.

    It keeps the ids of entities as the app was told them: the event of a removal names the entity id alone.
    """

    def __init__(self, hass: HomeAssistant, source: str) -> None:
        self._rows = RegistryRows(hass)
        self._source = source
        self._told: dict[str, str] = {}

    async def async_snapshot(self, revision: int) -> AsyncGenerator[bytes]:
        """Yield everything in parts; it counts as told when the iteration has come to its end."""
        part, size, seen = 0, 0, set()
        pieces: _Pieces = {}
        told: dict[str, str] = {}
        for kind in KINDS:
            for keys in batched(self._rows.async_keys(kind), _SLICE_ROWS, strict=False):
                for key in keys:
                    row = self._rows.async_row(kind, key)
                    if row is None or (kind, row["id"]) in seen:  # An entity that was renamed meanwhile comes twice.
                        continue
                    seen.add((kind, row["id"]))
                    piece = encode(row)
                    if size + len(piece) > PART_BYTES:
                        yield self._body(pieces, revision=revision, part=part, last=False)
                        part, size, pieces = part + 1, 0, {}
                    pieces.setdefault(kind, []).append(piece)
                    size += len(piece) + 1
                    if kind == ENTITIES:
                        told[key] = row["id"]
                await asyncio.sleep(0)
        yield self._body(pieces, revision=revision, part=part, last=True)
        self._told = told

    @callback
    def async_diff(self, marks: Marks, revision: int, base: int | None) -> tuple[bytes, EntityIds]:
        """Return what the marked things are now, and what to call ``async_note`` with once the app has it.

        What is not there any more was removed.
        """
        pieces: _Pieces = {}
        removed: dict[str, list[str]] = {}
        ids: EntityIds = {}
        for kind, keys in marks.items():
            rows = {key: self._rows.async_row(kind, key) for key in sorted(keys)}
            pieces[kind] = [encode(row) for row in rows.values() if row is not None]
            removed[kind] = [key for key, row in rows.items() if row is None]
            if kind == ENTITIES:
                ids = {key: None if row is None else str(row["id"]) for key, row in rows.items()}
                removed[kind] = self._gone(ids)
        return self._body(pieces, revision=revision, base=base, part=0, last=True, removed=removed), ids

    @callback
    def async_note(self, ids: EntityIds) -> None:
        """The app has been told these."""
        for entity_id, known in ids.items():
            if known is None:
                self._told.pop(entity_id, None)
            else:
                self._told[entity_id] = known

    def _gone(self, ids: EntityIds) -> list[str]:
        """Return the ids that were told of entities and that none of them has any more; a rename keeps its id."""
        told = {self._told[entity_id] for entity_id in ids if entity_id in self._told}
        return sorted(told.difference(ids.values()))

    def _body(self, pieces: _Pieces, **head: object) -> bytes:
        """Return the body of a request; the rows are JSON already."""
        rows = b",".join(b'"%b":[%b]' % (kind.encode(), b",".join(some)) for kind, some in pieces.items())
        return b'%b,"rows":{%b}}' % (json_bytes({"source": self._source, **head})[:-1], rows)
