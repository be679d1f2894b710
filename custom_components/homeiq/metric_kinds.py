"""The metrics that devices send, by the names that ESPHome, Tasmota, LoRaWAN decoders and plain sketches give them.

A kind of which no unit is known unless its name tells one has no ``unit``: a wrong unit is worse than none, and such a
metric is shown as a plain number then. Kinds without a ``key`` are called as Home Assistant calls their class.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from homeassistant.components.sensor import SensorDeviceClass as Class
from homeassistant.components.sensor import SensorStateClass
from homeassistant.const import (
    DEGREE,
    LIGHT_LUX,
    PERCENTAGE,
    SIGNAL_STRENGTH_DECIBELS,
    SIGNAL_STRENGTH_DECIBELS_MILLIWATT,
    UnitOfApparentPower,
    UnitOfConductivity,
    UnitOfDensity,
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfEnergy,
    UnitOfFrequency,
    UnitOfInformation,
    UnitOfIrradiance,
    UnitOfLength,
    UnitOfMass,
    UnitOfPower,
    UnitOfPrecipitationDepth,
    UnitOfPressure,
    UnitOfRatio,
    UnitOfReactivePower,
    UnitOfSoundPressure,
    UnitOfSpeed,
    UnitOfTemperature,
    UnitOfTime,
    UnitOfVolume,
    UnitOfVolumeFlowRate,
)

_NO_UNITS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricKind:
    """What a number means.

    Attributes:
        names: What it is called, in lower case with ``_`` between words.
        unit: Of a metric whose name tells none; None when that can be anything.
        units: By the end of a name, such as ``_f`` in ``temp_f``.
        key: Of its name and icon in the translations.
        takes_no_unit: Whether it is a number without a unit.
    """

    names: tuple[str, ...]
    device_class: Class | None = None
    state_class: SensorStateClass = SensorStateClass.MEASUREMENT
    unit: str | None = None
    units: Mapping[str, str] = _NO_UNITS
    key: str | None = None
    is_diagnostic: bool = False
    takes_no_unit: bool = False


_PERCENT: Final = {"pct": PERCENTAGE, "percent": PERCENTAGE, "perc": PERCENTAGE}
_TEMPERATURE: Final = {
    **dict.fromkeys(("c", "degc", "celsius"), UnitOfTemperature.CELSIUS),
    **dict.fromkeys(("f", "degf", "fahrenheit"), UnitOfTemperature.FAHRENHEIT),
    **dict.fromkeys(("k", "kelvin"), UnitOfTemperature.KELVIN),
}
_PRESSURE: Final = {
    "hpa": UnitOfPressure.HPA,
    "pa": UnitOfPressure.PA,
    "kpa": UnitOfPressure.KPA,
    "mbar": UnitOfPressure.MBAR,
    "bar": UnitOfPressure.BAR,
    "psi": UnitOfPressure.PSI,
    "inhg": UnitOfPressure.INHG,
    "mmhg": UnitOfPressure.MMHG,
}
_VOLTAGE: Final = {
    **dict.fromkeys(("v", "volt", "volts"), UnitOfElectricPotential.VOLT),
    "mv": UnitOfElectricPotential.MILLIVOLT,
}
_TIME: Final = {
    **dict.fromkeys(("s", "sec", "secs", "seconds"), UnitOfTime.SECONDS),
    **dict.fromkeys(("m", "min", "minutes"), UnitOfTime.MINUTES),
    **dict.fromkeys(("h", "hours"), UnitOfTime.HOURS),
    **dict.fromkeys(("d", "days"), UnitOfTime.DAYS),
    "ms": UnitOfTime.MILLISECONDS,
}
_LENGTH: Final = {
    "mm": UnitOfLength.MILLIMETERS,
    "cm": UnitOfLength.CENTIMETERS,
    "m": UnitOfLength.METERS,
    "km": UnitOfLength.KILOMETERS,
    "in": UnitOfLength.INCHES,
    "inch": UnitOfLength.INCHES,
    "ft": UnitOfLength.FEET,
}
_MASS: Final = {
    "g": UnitOfMass.GRAMS,
    "kg": UnitOfMass.KILOGRAMS,
    "mg": UnitOfMass.MILLIGRAMS,
    "lb": UnitOfMass.POUNDS,
    "lbs": UnitOfMass.POUNDS,
    "oz": UnitOfMass.OUNCES,
}
_SPEED: Final = {
    **dict.fromkeys(("ms", "mps", "m_s"), UnitOfSpeed.METERS_PER_SECOND),
    **dict.fromkeys(("kmh", "kph", "km_h"), UnitOfSpeed.KILOMETERS_PER_HOUR),
    "mph": UnitOfSpeed.MILES_PER_HOUR,
    "kn": UnitOfSpeed.KNOTS,
    "kt": UnitOfSpeed.KNOTS,
}
_VOLUME: Final = {
    **dict.fromkeys(("l", "liter", "liters", "litres"), UnitOfVolume.LITERS),
    **dict.fromkeys(("m3", "cbm"), UnitOfVolume.CUBIC_METERS),
    "ft3": UnitOfVolume.CUBIC_FEET,
}
_DENSITY: Final = {"ugm3": UnitOfDensity.MICROGRAMS_PER_CUBIC_METER, "ug_m3": UnitOfDensity.MICROGRAMS_PER_CUBIC_METER}
_PARTS: Final = {"ppm": UnitOfRatio.PARTS_PER_MILLION, "ppb": UnitOfRatio.PARTS_PER_BILLION}


def _density(names: tuple[str, ...], device_class: Class) -> MetricKind:
    unit = UnitOfDensity.MICROGRAMS_PER_CUBIC_METER
    return MetricKind(names=names, device_class=device_class, unit=unit, units=_DENSITY)


# The first that knows a name has it.
KINDS: Final = (
    MetricKind(
        names=("battery_voltage", "batt_voltage", "bat_voltage", "vbat", "vbatt", "v_bat", "voltage_battery"),
        device_class=Class.VOLTAGE,
        unit=UnitOfElectricPotential.VOLT,
        units=_VOLTAGE,
        key="metric_battery_voltage",
        is_diagnostic=True,
    ),
    MetricKind(
        names=("battery", "batt", "bat"),
        device_class=Class.VOLTAGE,
        units=_VOLTAGE,
        key="metric_battery_voltage",
        is_diagnostic=True,
    ),
    MetricKind(
        names=("battery", "batt", "bat", "battery_level", "batt_level", "bat_level", "battery_soc", "soc"),
        device_class=Class.BATTERY,
        unit=PERCENTAGE,
        units=_PERCENT,
        is_diagnostic=True,
    ),
    MetricKind(
        names=("soil_moisture", "soil_humidity", "soil_hum", "moisture", "soil_water", "vwc"),
        device_class=Class.MOISTURE,
        unit=PERCENTAGE,
        units=_PERCENT,
        key="metric_soil_moisture",
    ),
    MetricKind(
        names=("dew_point", "dewpoint"),
        device_class=Class.TEMPERATURE,
        unit=UnitOfTemperature.CELSIUS,
        units=_TEMPERATURE,
        key="metric_dew_point",
    ),
    MetricKind(
        names=("temperature", "temp", "tmp", "temperatur"),
        device_class=Class.TEMPERATURE,
        unit=UnitOfTemperature.CELSIUS,
        units=_TEMPERATURE,
    ),
    MetricKind(
        names=("humidity", "hum", "rh", "relative_humidity", "humi"),
        device_class=Class.HUMIDITY,
        unit=PERCENTAGE,
        units=_PERCENT | {"rh": PERCENTAGE},
    ),
    MetricKind(
        names=("pressure", "press", "air_pressure", "barometric_pressure", "barometer", "baro", "sea_pressure"),
        device_class=Class.PRESSURE,
        unit=UnitOfPressure.HPA,
        units=_PRESSURE,
    ),
    MetricKind(
        names=("voltage", "volt", "volts", "vcc", "vdd", "vin", "mains_voltage", "bus_voltage"),
        device_class=Class.VOLTAGE,
        unit=UnitOfElectricPotential.VOLT,
        units=_VOLTAGE,
    ),
    MetricKind(
        names=("current", "amps", "ampere"),
        device_class=Class.CURRENT,
        unit=UnitOfElectricCurrent.AMPERE,
        units={"a": UnitOfElectricCurrent.AMPERE, "ma": UnitOfElectricCurrent.MILLIAMPERE},
    ),
    MetricKind(
        names=("apparent_power",),
        device_class=Class.APPARENT_POWER,
        unit=UnitOfApparentPower.VOLT_AMPERE,
        units={"va": UnitOfApparentPower.VOLT_AMPERE},
    ),
    MetricKind(
        names=("reactive_power",),
        device_class=Class.REACTIVE_POWER,
        unit=UnitOfReactivePower.VOLT_AMPERE_REACTIVE,
        units={"var": UnitOfReactivePower.VOLT_AMPERE_REACTIVE},
    ),
    MetricKind(names=("power_factor", "pf", "factor"), device_class=Class.POWER_FACTOR, takes_no_unit=True),
    MetricKind(
        names=("power", "active_power", "watts", "watt"),
        device_class=Class.POWER,
        unit=UnitOfPower.WATT,
        units={"w": UnitOfPower.WATT, "kw": UnitOfPower.KILO_WATT, "mw": UnitOfPower.MILLIWATT},
    ),
    MetricKind(
        names=("energy", "total_energy", "energy_total", "consumption"),
        device_class=Class.ENERGY,
        state_class=SensorStateClass.TOTAL_INCREASING,
        unit=UnitOfEnergy.KILO_WATT_HOUR,
        units={"kwh": UnitOfEnergy.KILO_WATT_HOUR, "wh": UnitOfEnergy.WATT_HOUR, "mwh": UnitOfEnergy.MEGA_WATT_HOUR},
    ),
    MetricKind(
        names=("frequency", "freq"),
        device_class=Class.FREQUENCY,
        unit=UnitOfFrequency.HERTZ,
        units={"hz": UnitOfFrequency.HERTZ, "khz": UnitOfFrequency.KILOHERTZ, "mhz": UnitOfFrequency.MEGAHERTZ},
    ),
    MetricKind(
        names=("snr", "lora_snr", "lsnr"),
        device_class=Class.SIGNAL_STRENGTH,
        unit=SIGNAL_STRENGTH_DECIBELS,
        units={"db": SIGNAL_STRENGTH_DECIBELS},
        key="metric_snr",
        is_diagnostic=True,
    ),
    MetricKind(
        names=("rssi", "wifi_rssi", "lora_rssi", "signal_strength", "wifi_signal", "tx_power"),
        device_class=Class.SIGNAL_STRENGTH,
        unit=SIGNAL_STRENGTH_DECIBELS_MILLIWATT,
        units={"dbm": SIGNAL_STRENGTH_DECIBELS_MILLIWATT},
        is_diagnostic=True,
    ),
    MetricKind(
        names=("signal",),
        device_class=Class.SIGNAL_STRENGTH,
        units={"dbm": SIGNAL_STRENGTH_DECIBELS_MILLIWATT},
        is_diagnostic=True,
    ),
    MetricKind(
        names=("link_quality", "linkquality", "lqi"), key="metric_link_quality", is_diagnostic=True, takes_no_unit=True
    ),
    MetricKind(
        names=("illuminance", "lux", "light", "brightness", "light_level", "ambient_light"),
        device_class=Class.ILLUMINANCE,
        unit=LIGHT_LUX,
        units={"lx": LIGHT_LUX, "lux": LIGHT_LUX},
    ),
    MetricKind(
        names=("irradiance", "solar_radiation"),
        device_class=Class.IRRADIANCE,
        unit=UnitOfIrradiance.WATTS_PER_SQUARE_METER,
        units={"wm2": UnitOfIrradiance.WATTS_PER_SQUARE_METER, "w_m2": UnitOfIrradiance.WATTS_PER_SQUARE_METER},
    ),
    MetricKind(names=("uv", "uv_index", "uvi"), key="metric_uv_index", takes_no_unit=True),
    MetricKind(
        names=("co2", "eco2", "e_co2", "carbon_dioxide"),
        device_class=Class.CO2,
        unit=UnitOfRatio.PARTS_PER_MILLION,
        units={"ppm": UnitOfRatio.PARTS_PER_MILLION},
    ),
    MetricKind(
        names=("co", "carbon_monoxide"), device_class=Class.CO, unit=UnitOfRatio.PARTS_PER_MILLION, units=_PARTS
    ),
    _density(("pm1", "pm01", "pm1_0", "pm_1_0"), Class.PM1),
    _density(("pm25", "pm2_5", "pm_2_5", "pm_25"), Class.PM25),
    _density(("pm4", "pm4_0", "pm_4_0"), Class.PM4),
    _density(("pm10", "pm_10", "pm10_0", "pm_10_0"), Class.PM10),
    MetricKind(names=("tvoc", "voc"), device_class=Class.VOLATILE_ORGANIC_COMPOUNDS, units=_DENSITY, key="metric_tvoc"),
    MetricKind(
        names=("tvoc", "voc"),
        device_class=Class.VOLATILE_ORGANIC_COMPOUNDS_PARTS,
        unit=UnitOfRatio.PARTS_PER_BILLION,
        units=_PARTS,
        key="metric_tvoc",
    ),
    MetricKind(names=("aqi", "iaq", "air_quality"), device_class=Class.AQI, takes_no_unit=True),
    MetricKind(names=("ph",), device_class=Class.PH, takes_no_unit=True),
    MetricKind(
        names=("conductivity", "ec", "soil_conductivity", "soil_ec"),
        device_class=Class.CONDUCTIVITY,
        unit=UnitOfConductivity.MICROSIEMENS_PER_CM,
        units={"us_cm": UnitOfConductivity.MICROSIEMENS_PER_CM, "uscm": UnitOfConductivity.MICROSIEMENS_PER_CM},
    ),
    MetricKind(
        names=("noise", "sound", "sound_level", "sound_pressure"),
        device_class=Class.SOUND_PRESSURE,
        units={"db": UnitOfSoundPressure.DECIBEL, "dba": UnitOfSoundPressure.WEIGHTED_DECIBEL_A},
    ),
    MetricKind(names=("distance", "dist", "range", "depth", "level"), device_class=Class.DISTANCE, units=_LENGTH),
    MetricKind(names=("weight", "mass"), device_class=Class.WEIGHT, units=_MASS),
    MetricKind(
        names=("wind_speed", "windspeed", "wind", "wind_gust", "windgust", "gust"),
        device_class=Class.WIND_SPEED,
        unit=UnitOfSpeed.METERS_PER_SECOND,
        units=_SPEED,
    ),
    MetricKind(names=("speed", "velocity"), device_class=Class.SPEED, units=_SPEED),
    MetricKind(
        names=("wind_direction", "wind_dir", "winddir", "wind_bearing"),
        device_class=Class.WIND_DIRECTION,
        state_class=SensorStateClass.MEASUREMENT_ANGLE,
        unit=DEGREE,
        units={"deg": DEGREE},
    ),
    MetricKind(
        names=("rain", "rainfall", "precipitation", "rain_total"),
        device_class=Class.PRECIPITATION,
        state_class=SensorStateClass.TOTAL_INCREASING,
        unit=UnitOfPrecipitationDepth.MILLIMETERS,
        units={"mm": UnitOfPrecipitationDepth.MILLIMETERS, "in": UnitOfPrecipitationDepth.INCHES},
    ),
    MetricKind(
        names=("water", "water_total", "water_volume", "water_consumption"),
        device_class=Class.WATER,
        state_class=SensorStateClass.TOTAL_INCREASING,
        units=_VOLUME,
    ),
    MetricKind(
        names=("gas", "gas_total", "gas_volume", "gas_consumption"),
        device_class=Class.GAS,
        state_class=SensorStateClass.TOTAL_INCREASING,
        units=_VOLUME,
    ),
    MetricKind(
        names=("flow", "flow_rate", "water_flow"),
        device_class=Class.VOLUME_FLOW_RATE,
        units={
            **dict.fromkeys(("lpm", "l_min"), UnitOfVolumeFlowRate.LITERS_PER_MINUTE),
            **dict.fromkeys(("m3h", "m3_h"), UnitOfVolumeFlowRate.CUBIC_METERS_PER_HOUR),
        },
    ),
    MetricKind(
        names=("uptime", "up_time"),
        device_class=Class.DURATION,
        state_class=SensorStateClass.TOTAL_INCREASING,
        unit=UnitOfTime.SECONDS,
        units=_TIME,
        key="metric_uptime",
        is_diagnostic=True,
    ),
    MetricKind(
        names=("heap", "free_heap", "heap_free"),
        device_class=Class.DATA_SIZE,
        unit=UnitOfInformation.BYTES,
        units={"b": UnitOfInformation.BYTES, "bytes": UnitOfInformation.BYTES, "kb": UnitOfInformation.KILOBYTES},
        key="metric_free_memory",
        is_diagnostic=True,
    ),
)
