"""One change of state, converted by Home Assistant's own ``influxdb`` integration and by us."""

import warnings
from collections.abc import Mapping
from typing import Any

import msgspec
from homeassistant.core import Event as HassEvent
from homeassistant.core import State
from homeassistant.helpers.json import json_bytes
from influxdb_client import Point

with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # in the client of InfluxDB 1
    from homeassistant.components import influxdb

from homeiq_server.history.line_protocol import INFLUX, Line
from homeiq_server.history.points import ComponentNaming, Naming, PointSettings, build_schema
from homeiq_server.model import Event

NO_NAMING: Mapping[str, Any] = {}
TIME_S = 1_795_348_800.123457

_EVENTS = msgspec.json.Decoder(list[Event])


def home_assistant_text(
    entity_id: str,
    state: str,
    attributes: Mapping[str, Any],
    *,
    naming: Mapping[str, Any] = NO_NAMING,
    time_s: float = TIME_S,
) -> str | None:
    """Return the line that InfluxDB's client sends for Home Assistant, None when there is no point."""
    options = influxdb._INFLUX_BASE_SCHEMA(dict(naming))  # noqa: SLF001 - what YAML goes through
    convert = influxdb._generate_event_to_json(options)  # noqa: SLF001 - what is compared
    data = {"new_state": State(entity_id, state, dict(attributes))}
    if (point := convert(HassEvent("state_changed", data, time_fired_timestamp=time_s))) is None:
        return None
    with warnings.catch_warnings(action="ignore", category=SyntaxWarning):  # of measurements that begin with #
        return str(Point.from_dict(point).to_line_protocol())


def home_assistant_line(
    entity_id: str,
    state: str,
    attributes: Mapping[str, Any],
    *,
    naming: Mapping[str, Any] = NO_NAMING,
    time_s: float = TIME_S,
) -> Line | None:
    """Return what InfluxDB stores for Home Assistant, None when that is nothing."""
    text = home_assistant_text(entity_id, state, attributes, naming=naming, time_s=time_s)
    return INFLUX.parse(text) if text else None


def our_line(
    entity_id: str,
    state: str,
    attributes: Mapping[str, Any],
    *,
    naming: Mapping[str, Any] = NO_NAMING,
    time_s: float = TIME_S,
) -> Line | None:
    """Return what InfluxDB stores for us, None when that is nothing; the event goes over the real wire."""
    fired = HassEvent("state_changed", time_fired_timestamp=time_s).time_fired
    time_us = int(fired.timestamp()) * 1_000_000 + fired.microsecond
    data = State(entity_id, state, dict(attributes)).attributes
    wire = json_bytes([[entity_id, state, data, None, None, time_us, "01JD8Z3YV8M8T9QG5H2K4N6P7R", None]])
    schema = build_schema(PointSettings(naming=our_naming(naming)), text_as_tag=False)
    conversion = schema.convert(_EVENTS.decode(wire), {})
    assert not conversion.rejected
    if not conversion.lines.count:
        return None
    line = INFLUX.parse(conversion.lines.body.decode())
    assert line.time is not None
    return Line(line.measurement, line.tags, line.fields, line.time * 1000)


def our_naming(options: Mapping[str, Any]) -> Naming:
    """Return Home Assistant's options as ours."""
    exceptions = {
        key: {name: component_naming(values) for name, values in options.get(key, {}).items()}
        for key in ("component_config", "component_config_domain", "component_config_glob")
    }
    names = {
        key: options[key]
        for key in ("measurement_attr", "default_measurement", "override_measurement", "tags")
        if key in options
    }
    ignored = frozenset(options.get("ignore_attributes", ()))
    return Naming(
        **names, **exceptions, tags_attributes=frozenset(options.get("tags_attributes", ())), ignore_attributes=ignored
    )


def component_naming(values: Mapping[str, Any]) -> ComponentNaming:
    ignored = values.get("ignore_attributes")
    return ComponentNaming(
        override_measurement=values.get("override_measurement"),
        ignore_attributes=None if ignored is None else frozenset(ignored),
    )
