"""One change of state, converted by Home Assistant's own ``influxdb`` integration and by us."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from homeassistant.core import Event as HassEvent
from homeassistant.core import State
from homeassistant.helpers.json import json_bytes
from influxdb_client.client.write.point import Point

with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # in the client of InfluxDB 1
    from homeassistant.components import influxdb
    from homeassistant.components.influxdb.const import RE_DIGIT_TAIL

from homeiq_server.history.line_protocol import INFLUX, Line
from homeiq_server.history.points import ComponentNaming, Naming, PointSettings, build_schema
from homeiq_server.model import Event

__all__ = ["RE_DIGIT_TAIL", "home_assistant_line", "home_assistant_text", "our_line"]

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
    options = influxdb._INFLUX_BASE_SCHEMA(dict(naming))
    convert = influxdb._generate_event_to_json(options)
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
    converters: dict[str, Callable[[Any], Any]] = {
        "tags_attributes": frozenset,
        "ignore_attributes": frozenset,
        "component_config": component_naming,
        "component_config_domain": component_naming,
        "component_config_glob": component_naming,
    }
    return Naming(**{key: converters.get(key, lambda value: value)(value) for key, value in options.items()})


def component_naming(options: Mapping[str, Mapping[str, Any]]) -> dict[str, ComponentNaming]:
    return {
        name: ComponentNaming(
            override_measurement=values.get("override_measurement"),
            ignore_attributes=frozenset(values["ignore_attributes"]) if "ignore_attributes" in values else None,
        )
        for name, values in options.items()
    }
