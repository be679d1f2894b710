"""What a metric is, by the names that firmware gives it."""

import json
from pathlib import Path

import pytest
from homeassistant.components.sensor.const import DEVICE_CLASS_STATE_CLASSES, DEVICE_CLASS_UNITS
from hypothesis import given
from hypothesis import strategies as st

from custom_components.homeiq import metric_names
from custom_components.homeiq.metric_kinds import KINDS, MetricKind
from custom_components.homeiq.metric_names import binary_meaning_of, meaning_of, title_of

FOLDER = Path(metric_names.__file__).parent
NAMES = [
    ("temp", "temperature", "°C"),
    ("temp_c", "temperature", "°C"),
    ("temperature_f", "temperature", "°F"),
    ("humidity", "humidity", "%"),
    ("hum", "humidity", "%"),
    ("rh", "humidity", "%"),
    ("pressure", "pressure", "hPa"),
    ("press_hpa", "pressure", "hPa"),
    ("pressure_psi", "pressure", "psi"),
    ("battery", "battery", "%"),
    ("battery_pct", "battery", "%"),
    ("vbat", "voltage", "V"),
    ("bat_mv", "voltage", "mV"),
    ("voltage", "voltage", "V"),
    ("current_ma", "current", "mA"),
    ("power", "power", "W"),
    ("energy", "energy", "kWh"),
    ("energy_wh", "energy", "Wh"),
    ("rssi", "signal_strength", "dBm"),
    ("rssi_dbm", "signal_strength", "dBm"),
    ("tx_power", "signal_strength", "dBm"),
    ("snr", "signal_strength", "dB"),
    ("lux", "illuminance", "lx"),
    ("illuminance", "illuminance", "lx"),
    ("co2", "carbon_dioxide", "ppm"),
    ("pm25", "pm25", "μg/m³"),
    ("pm10", "pm10", "μg/m³"),
    ("tvoc", "volatile_organic_compounds_parts", "ppb"),
    ("soil_moisture", "moisture", "%"),
    ("water_l", "water", "L"),
    ("gas_m3", "gas", "m³"),
    ("distance_cm", "distance", "cm"),
    ("weight_kg", "weight", "kg"),
    ("wind_speed", "wind_speed", "m/s"),
    ("wind_speed_kmh", "wind_speed", "km/h"),
    ("wind_direction", "wind_direction", "°"),
    ("rain", "precipitation", "mm"),
    ("uptime", "duration", "s"),
    ("uptime_ms", "duration", "ms"),
    # Tasmota
    ("AM2301.Temperature", "temperature", "°C"),
    ("ENERGY.Power", "power", "W"),
    ("eCO2", "carbon_dioxide", "ppm"),
    ("PM2.5", "pm25", "μg/m³"),
    ("UptimeSec", "duration", "s"),
    ("DewPoint", "temperature", "°C"),
    # Decoders of LoRaWAN
    ("TempC_SHT", "temperature", "°C"),
    ("Hum_SHT", "humidity", "%"),
    ("BatV", "voltage", "V"),
    ("temperature_1", "temperature", "°C"),
    ("relative_humidity_2", "humidity", "%"),
    # ESPHome, and sketches
    ("bme280_temperature", "temperature", "°C"),
    ("living_room_humidity", "humidity", "%"),
    ("temp1", "temperature", "°C"),
    ("temp_outside", "temperature", "°C"),
]
UNKNOWN = [
    "distance",
    "weight",
    "water",
    "gas",
    "speed",
    "signal",
    "analog_in_1",
    "count",
    "status_light",
    "fill_level",
]


@pytest.mark.parametrize(("name", "device_class", "unit"), NAMES, ids=lambda one: one)
def test_a_name_means_what_firmware_means_by_it(name: str, device_class: str, unit: str) -> None:
    meaning = meaning_of(name)

    assert meaning is not None
    assert meaning.kind.device_class == device_class
    assert meaning.unit == unit


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_could_be_of_any_unit_has_none_and_no_class(name: str) -> None:
    assert meaning_of(name) is None


@pytest.mark.parametrize(
    ("name", "device_class"),
    [
        ("motion", "motion"),
        ("front_door", "door"),
        ("Window1", "window"),
        ("water_leak", "moisture"),
        ("smoke", "smoke"),
        ("occupancy", "occupancy"),
        ("batteryLow", "battery"),
    ],
)
def test_a_yes_or_no_has_a_class_by_its_name(name: str, device_class: str) -> None:
    meaning = binary_meaning_of(name)

    assert meaning is not None
    assert meaning.device_class == device_class


def test_a_yes_or_no_that_nobody_knows_is_plain() -> None:
    assert binary_meaning_of("relay") is None


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.names[0])
def test_units_and_classes_are_ones_that_home_assistant_takes_together(kind: MetricKind) -> None:
    units = {None} if kind.takes_no_unit else {*kind.units.values(), *([kind.unit] if kind.unit else [])}

    assert units
    if kind.device_class is not None:
        assert units <= DEVICE_CLASS_UNITS[kind.device_class]
        assert kind.state_class in DEVICE_CLASS_STATE_CLASSES[kind.device_class]


def test_every_kind_that_is_not_called_by_its_class_has_a_name_and_an_icon() -> None:
    english = json.loads((FOLDER / "translations" / "en.json").read_text(encoding="utf-8"))["entity"]["sensor"]
    icons = json.loads((FOLDER / "icons.json").read_text(encoding="utf-8"))["entity"]["sensor"]
    keys = {kind.key for kind in KINDS if kind.key is not None}

    assert all(kind.key or kind.device_class for kind in KINDS)
    assert keys == {key for key in english if key.startswith("metric_")}
    assert keys == {key for key in icons if key.startswith("metric_")}


@given(st.text(max_size=64))
def test_any_name_has_a_title_and_at_most_one_meaning(name: str) -> None:
    assert title_of(name) or not name
    meaning = meaning_of(name)
    assert meaning is None or meaning.unit is not None or meaning.kind.takes_no_unit
    binary_meaning_of(name)
