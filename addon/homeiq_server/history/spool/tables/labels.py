"""What the registries of each source say of its entities, as the source last told."""

import sqlite3
from collections.abc import Mapping
from typing import Final

import msgspec

from homeiq_server.model import Labels

MAX_ENTITIES: Final = 20_000  # of one source
_MAX_BYTES: Final = 4_096  # of one entity: entity_id and JSON

_KEEP = """
    INSERT INTO labels (source, entity_id, updated_us, json)
         VALUES (?, ?, ?, ?)
    ON CONFLICT (source, entity_id)
      DO UPDATE SET updated_us = excluded.updated_us, json = excluded.json
"""

_FORGET_SURPLUS = """
    DELETE FROM labels
          WHERE source = ?1
            AND entity_id IN (SELECT entity_id FROM labels WHERE source = ?1
                            ORDER BY updated_us DESC, entity_id LIMIT -1 OFFSET ?2)
"""

# A clock that was ahead has been set back: what is of the future would never be the oldest.
_PULL_BACK = "UPDATE labels SET updated_us = ?1 WHERE updated_us > ?1"
_FORGET_ORPHANS = "DELETE FROM labels WHERE source NOT IN (SELECT source FROM sources)"

_READ = "SELECT entity_id, json FROM labels WHERE source = ?"


class EntityLabels:
    """The newest labels of each entity. Every stream tells all of them anew, so what is forgotten comes back.

    Of more than 20,000 entities of a source those go that were told of longest ago; labels longer than
    4,096 bytes are not kept.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def keep(self, source: str, told: Mapping[str, bytes], now_us: int) -> None:
        """Store labels, each a JSON object, by entity_id."""
        if not told:
            return
        rows = [
            (source, entity_id, now_us, json)
            for entity_id, json in told.items()
            if len(entity_id) + len(json) <= _MAX_BYTES
        ]
        self._db.executemany(_KEEP, rows)
        self._db.execute(_FORGET_SURPLUS, (source, MAX_ENTITIES))

    def forget(self, now_us: int) -> None:
        """Delete the labels of forgotten sources."""
        self._db.execute(_PULL_BACK, (now_us,))
        self._db.execute(_FORGET_ORPHANS)

    def read(self, source: str) -> dict[str, Labels]:
        """Return the labels of one source by entity_id."""
        decoder = msgspec.json.Decoder(Labels)
        return {entity_id: decoder.decode(json) for entity_id, json in self._db.execute(_READ, (source,))}
