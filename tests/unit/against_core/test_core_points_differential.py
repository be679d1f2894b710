"""The core schema beside the code that it copies, on generated changes of state.

What is known to differ is kept out of these strategies; ``test_core_points_deviations`` shows it, case by case.
"""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeiq_server.history.line_protocol import single_line
from homeiq_server.history.points.core import has_a_number
from tests.unit.against_core.both_ways import RE_DIGIT_TAIL, home_assistant_line, our_line

SETTINGS = settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Text with much of what is special to line protocol, to Python's float() or to the rule about digits.
TEXTS = st.text(
    st.sampled_from("abc019.,= -+e_\"'\\\n\r\t%°\u2028\u0665²é😀") | st.characters(codec="utf-8"), max_size=20
)
DIGITS = st.from_regex(r"[a-z ]{0,3}\d{1,3}(\.\d{1,3}){0,2}[a-z% ]{0,3}", fullmatch=True)


def is_a_proper_name(text: str) -> bool:
    """Tell whether Home Assistant's client makes a proper line of a measurement or key of this name."""
    read = single_line(text)
    return bool(read or not text) and not text.endswith("\\") and not read.endswith("\\") and not text.startswith("#")


CLASHING_NAMES = (
    "value value_ value_str state state_ time time_ time_str domain entity_id a a_str "
    "unit_of_measurement device_class friendly_name"
)
NAMES = st.sampled_from([*CLASHING_NAMES.split(), "a b", "ü,="]) | TEXTS.filter(
    lambda name: bool(name) and is_a_proper_name(name)
)
MEASUREMENTS = st.sampled_from(["W", "°C", "%", "km/h", "kWh, total"]) | TEXTS.filter(is_a_proper_name)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.integers(-100, 100)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | DIGITS
    | st.sampled_from(["inf", "-Infinity", "nan", "1_000", "1e400", "on", "v1.25 beta"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
NAMING_ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "unit_of_measurement": MEASUREMENTS | st.sampled_from([None, "", 5, 0, 1.5, True, ["W"]]),
        "device_class": MEASUREMENTS | st.sampled_from([None, "", 5]),
    },
)
ATTRIBUTES = st.builds(
    lambda others, naming: others | naming,
    st.dictionaries(
        NAMES.filter(lambda name: name not in {"unit_of_measurement", "device_class"}),
        VALUES | st.just("9" * 400),
        max_size=8,
    ),
    NAMING_ATTRIBUTES,
)

STATES = (
    st.floats().map(str)
    | st.integers(-1000, 1000).map(str)
    | st.sampled_from(["on", "off", "locked", "unlocked", "open", "closed", "home", "not_home", "above_horizon"])
    | st.sampled_from(["below_horizon", "unknown", "unavailable", "", "heat", "On", "1_0", "1__0", " 5 ", "+5", "0x1"])
    | st.sampled_from(["inf", "-inf", "nan", "NaN", "Infinity", "1e999", "\u0665", "²"])
    | TEXTS
    | st.text(st.characters(codec="utf-8"), min_size=255, max_size=255)
)
ENTITIES = st.sampled_from(["sensor.kettle", "sensor.kettle_power", "light.attic", "climate.attic_2"])
TIMES = st.floats(1, 4_000_000_000)

OVERRIDE = st.fixed_dictionaries(
    {},
    optional={
        "override_measurement": MEASUREMENTS,
        "ignore_attributes": st.lists(NAMES, max_size=3),
    },
)
NAMINGS = st.fixed_dictionaries(
    {},
    optional={
        "measurement_attr": st.sampled_from(["unit_of_measurement", "domain__device_class", "entity_id"]),
        "default_measurement": MEASUREMENTS,
        "override_measurement": MEASUREMENTS,
        "tags": st.dictionaries(NAMES, TEXTS, max_size=3),
        "tags_attributes": st.lists(NAMES, max_size=4),
        "ignore_attributes": st.lists(NAMES, max_size=4),
        "component_config": st.dictionaries(ENTITIES, OVERRIDE, max_size=2),
        "component_config_domain": st.dictionaries(st.sampled_from(["sensor", "light"]), OVERRIDE, max_size=2),
        "component_config_glob": st.dictionaries(
            st.sampled_from(["sensor.*", "*_power", "light.atti?", "*.[!k]*"]), OVERRIDE, max_size=3
        ),
    },
)


@settings(SETTINGS, max_examples=1500)
@given(entity_id=ENTITIES, state=STATES, attributes=ATTRIBUTES, time_s=TIMES)
def test_points_are_those_of_home_assistant(
    entity_id: str, state: str, attributes: dict[str, Any], time_s: float
) -> None:
    ours = our_line(entity_id, state, attributes, time_s=time_s)

    assert ours == home_assistant_line(entity_id, state, attributes, time_s=time_s)


@settings(SETTINGS, max_examples=1000)
@given(entity_id=ENTITIES, state=STATES, attributes=ATTRIBUTES, naming=NAMINGS)
def test_points_are_those_of_home_assistant_with_every_naming_option(
    entity_id: str, state: str, attributes: dict[str, Any], naming: dict[str, Any]
) -> None:
    ours = our_line(entity_id, state, attributes, naming=naming)

    assert ours == home_assistant_line(entity_id, state, attributes, naming=naming)


@settings(SETTINGS, max_examples=1000)
@given(TEXTS.map(single_line) | DIGITS)
def test_the_same_texts_have_a_number(text: str) -> None:
    assert has_a_number(text) == (RE_DIGIT_TAIL.match(text) is not None)
