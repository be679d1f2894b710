"""The statements that bring rows of the registries into their tables, for each kind. The columns are the fields' names.

Every one works on a whole part at once, and touches no row that is as it should be.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from homeiq_server.registry import KINDS, Area, ConfigEntry, Device, Entity, Floor, Kind, Label

SHAPES: Final[Mapping[Kind, type[msgspec.Struct]]] = {
    "floors": Floor,
    "areas": Area,
    "labels": Label,
    "config_entries": ConfigEntry,
    "devices": Device,
    "entities": Entity,
}

# Columns that are not text.
_TYPES: Final = {
    "level": "int",
    "registered": "boolean",
    "supported_features": "bigint",
    "labels": "text[]",
    "identifiers": "jsonb",
    "connections": "jsonb",
    "capabilities": "jsonb",
}
# What is left out of JSON because it is the default, and what is cut: an index holds no longer names.
_KEPT: Final = {
    "name": "left(raw.name, 255)",
    "name_by_user": "left(raw.name_by_user, 255)",
    "registered": "coalesce(raw.registered, true)",
    "supported_features": "coalesce(raw.supported_features, 0)",
    "labels": "coalesce(raw.labels, '{}')",
    "identifiers": "coalesce(raw.identifiers, '[]')",
    "connections": "coalesce(raw.connections, '[]')",
    "capabilities": "coalesce(raw.capabilities, '{}')",
}
_BORN: Final = frozenset({"devices", "entities"})  # those that know when they were first heard of


def _merge(kind: Kind) -> str:
    """Return the statement that takes a JSON list of rows in; its answer is how many were new, back or changed.

    ``ON CONFLICT`` by itself would lock, and so write, rows that are equal; and it is still needed, for two sources
    that bring the same device at once.
    """
    columns = SHAPES[kind].__struct_fields__
    names = ", ".join(columns)
    typed = ", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in columns)
    kept = ", ".join(f"{_KEPT.get(name, f'raw.{name}')} AS {name}" for name in columns)
    # A device is the same one whichever source tells of it.
    key = "tenant_id, id" if kind == "devices" else "tenant_id, source, id"
    same = "" if kind == "devices" else " AND known.source = sent.source"
    born, born_at = (", created_at", ", $4") if kind in _BORN else ("", "")
    changing = ("source", *columns, "updated_at", "removed_at")
    return f"""
        WITH merged AS (
            INSERT INTO {kind} (tenant_id, source, {names}{born}, updated_at)
            SELECT $1, sent.source, {_of("sent", columns)}{born_at}, $4
              FROM (SELECT $2 AS source, {kept} FROM jsonb_to_recordset($3) AS raw({typed})) AS sent
              LEFT JOIN {kind} AS known ON known.tenant_id = $1 AND known.id = sent.id{same}
             WHERE known.id IS NULL OR known.removed_at IS NOT NULL
                OR (known.source, {_of("known", columns)}) IS DISTINCT FROM (sent.source, {_of("sent", columns)})
             ORDER BY sent.id
            ON CONFLICT ({key}) DO UPDATE SET ({", ".join(changing)}) = ROW ({_of("excluded", changing)})
            RETURNING 1)
        SELECT count(*) FROM merged"""  # noqa: S608 - made of the names above


def _remove(kind: Kind, which: str) -> str:
    """Return the statement that marks rows as removed; its answer is how many were there until now."""
    return f"""
        WITH gone AS (
            UPDATE {kind} AS known SET removed_at = $4, updated_at = $4
             WHERE known.tenant_id = $1 AND known.source = $2 AND known.removed_at IS NULL AND {which}
            RETURNING 1)
        SELECT count(*) FROM gone"""  # noqa: S608 - made of the names above


def _of(table: str, columns: tuple[str, ...]) -> str:
    return ", ".join(f"{table}.{name}" for name in columns)


MERGE: Final = {kind: _merge(kind) for kind in KINDS}
"""$1 tenant, $2 source, $3 rows as jsonb with no id twice, $4 time."""

REMOVE: Final = {kind: _remove(kind, "known.id = ANY ($3::text[])") for kind in KINDS}
"""$1 tenant, $2 source, $3 ids of what is gone, $4 time."""

REMOVE_ABSENT: Final = {
    kind: _remove(kind, "NOT EXISTS (SELECT FROM unnest($3::text[]) AS present(id) WHERE present.id = known.id)")
    for kind in KINDS
}
"""$1 tenant, $2 source, $3 ids of what is there, $4 time."""

LOAD: Final = {
    kind: f"SELECT {', '.join(SHAPES[kind].__struct_fields__)} FROM {kind}"  # noqa: S608 - made of the names above
    " WHERE tenant_id = $1 AND source = $2 AND removed_at IS NULL ORDER BY id"
    for kind in KINDS
}
"""$1 tenant, $2 source."""
