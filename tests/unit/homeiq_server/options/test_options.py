"""Options: where they come from, and what is said of one that cannot work."""

import json
from pathlib import Path

import pytest

from homeiq_server.errors import InvalidOptions
from homeiq_server.history.points.settings import Naming
from homeiq_server.options import Component, Options, declared
from homeiq_server.options.sources import load, table


def _load(tmp_path: Path, app: object = None, **environment: str) -> Options:
    """Load with the app's options in a file, and nothing of this machine."""
    path = tmp_path / "options.json"
    if app is not None:
        path.write_text(app if isinstance(app, str) else json.dumps(app))
    named = {f"HOMEIQ_{key.upper()}": value for key, value in environment.items()}
    return load({"HOMEIQ_OPTIONS": str(path)} | named)


def _faults(tmp_path: Path, app: object = None, **environment: str) -> list[str]:
    with pytest.raises(InvalidOptions) as caught:
        _load(tmp_path, app, **environment)
    return str(caught.value).splitlines()


def test_without_any_source_the_defaults_hold(tmp_path: Path) -> None:
    options = _load(tmp_path)
    assert options == Options(data_dir=Path("~/.local/share/homeiq").expanduser())
    assert (options.port, options.history, options.cors_origins) == (8098, True, ())


def test_each_source_overrules_those_before_it(tmp_path: Path) -> None:
    toml = tmp_path / "homeiq.toml"
    toml.write_text('retention = "1y"\nlog_level = "debug"\nport = 1001\n')
    app = {"log_level": "error", "port": 1002}
    options = _load(tmp_path, app, config=str(toml), port="1003")
    assert (options.retention, options.log_level, options.port) == ("1y", "error", 1003)


def test_an_empty_text_means_not_set(tmp_path: Path) -> None:
    empty = {"influx_url": "", "influx_token": "", "retention": None, "core": {"default_measurement": ""}}
    assert _load(tmp_path, empty, influx_bucket="") == _load(tmp_path)


def test_the_environment_spells_every_kind_of_value(tmp_path: Path) -> None:
    options = _load(
        tmp_path,
        gap_markers="on",
        extra_tags="area, device",
        core='{"tags": ["home=villa"], "ignore_attributes": ["icon"]}',
        core_components='[{"match": "glob", "name": "sensor.*", "override_measurement": "s"}]',
    )
    assert options.gap_markers is True
    assert options.extra_tags == ("area", "device")
    assert options.core == Naming(tags={"home": "villa"}, ignore_attributes=frozenset({"icon"}))
    assert options.core_components == (Component(match="glob", name="sensor.*", override_measurement="s"),)


@pytest.mark.parametrize("value", ["on", True])
def test_history_may_be_a_word_or_what_yaml_makes_of_it(tmp_path: Path, value: object) -> None:
    assert _load(tmp_path, {"history": value}).history is True
    assert _load(tmp_path, {"history": "off" if value == "on" else False}).history is False


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("port", "x"),
        ("port", 70_000),
        ("port", True),
        ("port", "8098"),
        ("log_level", "loud"),
        ("history", "maybe"),
        ("influx_url", "influxdb:8086"),
        ("influx_url", "ftp://influxdb"),
        ("influx_url", "http://"),
        ("influx_url", "http://user:word@influxdb:8086"),
        ("influx_url", "http://influxdb:8086/?db=x"),
        ("influx_url", "http://influxdb:port"),
        ("influx_url", 7),
        ("verify_ssl", "perhaps"),
        ("ssl_ca_cert", "/nowhere/ca.pem"),
        ("retention", "10"),
        ("retention", "0y"),
        ("retention", 10),
        ("schema", "wide"),
        ("extra_tags", ["area", "room"]),
        ("extra_tags", "area"),
        ("spool_limit_mb", 1),
        ("drain_lines_per_second", 0),
        ("database_url", "postgresql://homeiq:geheim@host"),
        ("database_url", "postgresql://homeiq:geheim@host/"),
        ("database_url", "postgresql://host/homeiq"),
        ("database_url", "postgresql://homeiq:geheim@/homeiq"),
        ("database_url", "postgresql://homeiq:ge@heim@host/homeiq"),
        ("database_url", "postgresql://homeiq:geheim@host/homeiq#1"),
        ("database_url", "postgresql://homeiq:geheim@host:port/homeiq"),
        ("database_url", "postgresql://homeiq:geheim@host/homeiq?sslmode"),
        ("database_url", "mysql://homeiq:geheim@host/homeiq"),
        ("database_owner_url", 5),
        ("postgresql", "/nowhere/bin"),
        ("cors_origins", ["*"]),
        ("cors_origins", ["https://a.example/path"]),
        ("ingress_peer", "supervisor"),
        ("core", {"measurement_attr": "name"}),
        ("core", {"tags": ["home"]}),
        ("core", {"colour": "red"}),
        ("core_components", [{"match": "entity"}]),
        ("data_dir", "/dev/null"),
    ],
)
def test_a_wrong_value_is_refused_with_key_place_shape_and_remedy(tmp_path: Path, key: str, value: object) -> None:
    faults = [fault for fault in _faults(tmp_path, {key: value}) if fault.startswith(f"option {key}")]
    shape = next(option.shape for option in declared() if option.name == key)

    assert "options.json" in faults[0]
    assert f"It must be {shape}" in faults[0]
    assert "Correct it, or remove it" in faults[0]
    assert "geheim" not in "".join(faults)


def test_a_bucket_with_quotes_is_refused(tmp_path: Path) -> None:
    app = {"influx_url": "http://influxdb:8086", "influx_token": "t", "influx_bucket": 'a"b'}
    assert "quotes" in _faults(tmp_path, app)[0]


@pytest.mark.parametrize(
    ("app", "key"),
    [
        ({"influx_url": "http://i", "influx_token": "t"}, "influx_bucket"),
        ({"influx_url": "http://i", "influx_org": "o"}, "influx_token"),
        ({"influx_url": "http://i", "influx_username": "u"}, "influx_password"),
        ({"influx_token": "t"}, "influx_token"),
        ({"influx_bucket": "b"}, "influx_bucket"),
        ({"database_url": "postgresql://h@i/d"}, "database_owner_url"),
        ({"database_owner_url": "postgresql://h@i/d"}, "database_owner_url"),
        ({"database_url": "postgresql://h@i/d", "database_owner_url": "postgresql://h@i/d"}, "database_owner_url"),
        ({"database_ca_cert": "/etc/hosts"}, "database_ca_cert"),
        ({"database_ca_cert": "/etc/hosts", "database_verify_ssl": "off"}, "database_ca_cert"),
    ],
)
def test_what_cannot_work_together_is_refused(tmp_path: Path, app: dict[str, str], key: str) -> None:
    assert any(fault.startswith(f"option {key}") for fault in _faults(tmp_path, app))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"influx_bucket": "homeassistant"},
        {"influx_bucket": "homeassistant/raw", "influx_username": "u", "influx_password": "p"},
        {"influx_username": "u", "influx_password": "p"},
        {"influx_token": "t", "influx_bucket": "b"},
        {"influx_token": "t", "influx_bucket": "b", "influx_org": "o"},
    ],
)
def test_what_each_database_asks_for_is_accepted(tmp_path: Path, given: dict[str, str]) -> None:
    assert _load(tmp_path, {"influx_url": "http://i", **given}).influx_bucket == given.get("influx_bucket")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://homeiq:geheim@192.168.1.10:5432/homeiq",
        "postgres://homeiq@[fd00::1]/homeiq",
        "postgresql://homeiq:p%40%2F%23@one:5432,two:5433/homeiq?target_session_attrs=read-write",
        "postgresql://homeiq@/homeiq?host=/run/postgresql",
    ],
)
def test_every_kind_of_postgresql_s_address_is_accepted(tmp_path: Path, url: str) -> None:
    options = _load(tmp_path, {"database_url": url, "database_owner_url": url.replace("homeiq", "owner", 1)})
    assert options.database_url
    assert options.database_url.reveal() == url
    assert url not in repr(options)


def test_an_unknown_key_is_refused_with_the_one_that_was_meant(tmp_path: Path) -> None:
    assert "Did you mean influx_token?" in _faults(tmp_path, {"influx_tokn": "x"})[0]
    assert "--help" in _faults(tmp_path, {"xyzzy": "red"})[0]


def test_in_the_environment_only_what_looks_like_a_slip_is_refused(tmp_path: Path) -> None:
    assert "Did you mean influx_token?" in _faults(tmp_path, influx_tokn="x")[0]
    assert _load(tmp_path, tools="/tmp", user="homeiq") == _load(tmp_path)  # noqa: S108  # never opened


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    faults = _faults(tmp_path, {"port": "x", "colour": "red"}, log_level="loud", influx_org="o")
    assert len(faults) == 4


@pytest.mark.parametrize("text", ["{", "[]", '"text"'])
def test_an_options_file_that_is_no_object_is_refused(tmp_path: Path, text: str) -> None:
    assert "options.json" in _faults(tmp_path, text)[0]


def test_a_config_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("port = ")
    assert "bad.toml" in _faults(tmp_path, config=str(tmp_path / "bad.toml"))[0]
    assert "missing.toml" in _faults(tmp_path, config=str(tmp_path / "missing.toml"))[0]


def test_secrets_show_nowhere(tmp_path: Path) -> None:
    app = {"influx_url": "http://i", "influx_token": "geheim-1", "influx_bucket": "b"}
    options = _load(tmp_path, app)
    assert options.influx_token is not None
    assert options.influx_token.reveal() == "geheim-1"
    assert "geheim" not in repr(options)
    assert "geheim" not in str(options.influx_token)
    wrong = {"influx_token": ["geheim-2"], "influx_url": "http://u:geheim-3@i", "influx_password": "geheim-4\n"}
    assert "geheim" not in "".join(_faults(tmp_path, wrong))


def test_every_option_is_documented() -> None:
    rows = list(table())
    assert len(rows) == len(Options.__dataclass_fields__)
    assert all(name and shape and default and meaning.endswith(".") for name, shape, default, meaning in rows)
