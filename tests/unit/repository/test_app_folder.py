"""The app's folder, checked as the Supervisor reads it; a key that it does not know it would drop without a word.

Sources: ``supervisor/apps/validate.py``, ``apps/options.py`` and ``store/data.py`` of August 2026.
"""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import voluptuous as vol
import yaml

from homeiq_server import VERSION
from homeiq_server.discovery import SERVICE
from homeiq_server.options import Options
from homeiq_server.options.sources import load, table

ROOT = Path(__file__).parents[3]
APP = ROOT / "addon"
CONFIG: dict[str, Any] = yaml.safe_load((APP / "config.yaml").read_text())
DOCKERFILE = (APP / "Dockerfile").read_text()
ENGLISH: dict[str, Any] = yaml.safe_load((APP / "translations/en.yaml").read_text())

# Set in the Dockerfile, where the container's make-up is known.
NOT_THE_USER_S = {
    "data_dir",
    "host",
    "port",
    "ingress_host",
    "ingress_port",
    "ingress_peer",
    "victoria_metrics",
    "postgresql",
}

_TYPE = re.compile(
    r"(?:bool|email|url|port|str|password|device(?:\(subsystem=[a-z]+\))?|int(?:\(-?\d*,-?\d*\))?"
    r"|float(?:\(-?[\d.]*,-?[\d.]*\))?|match\(.*\)|list\(.+\))\??"
)
_PORTS = {vol.Match(r"^\d+/(?:tcp|udp)$"): vol.Maybe(int)}
SCHEMA = vol.Schema(
    {
        vol.Required("name"): str,
        vol.Required("version"): str,
        vol.Required("slug"): vol.Match(r"^[-_.A-Za-z0-9]+$"),
        vol.Required("description"): str,
        vol.Required("arch"): [vol.In(["aarch64", "amd64"])],
        "url": vol.Url(),
        "image": vol.Match(r"^[a-z0-9.-]+(?:/[a-z0-9._-]+)+$"),
        "homeassistant": str,
        "startup": vol.In(["initialize", "system", "services", "application", "once"]),
        "boot": vol.In(["auto", "manual", "manual_only"]),
        "init": bool,
        "stage": vol.In(["stable", "experimental", "deprecated"]),
        "timeout": vol.All(int, vol.Range(10, 300)),
        "watchdog": vol.Match(r"^(?:https?|\[PROTO:\w+\]|tcp)://\[HOST\]:(\[PORT:\d+\]|\d+).*$"),
        "ingress": bool,
        "ingress_port": int,
        "ingress_entry": str,
        "ingress_stream": bool,
        "panel_icon": vol.Match("^mdi:[a-z-]+$"),
        "panel_title": str,
        "panel_admin": bool,
        "ports": _PORTS,
        "ports_description": {vol.Match(r"^\d+/(?:tcp|udp)$"): str},
        "discovery": [str],
        "services": [vol.Match("^(?:mqtt|mysql):(?:provide|want|need)$")],
        "map": [{vol.Required("type"): vol.In(["data", "ssl", "share", "app_config"]), "read_only": bool, "path": str}],
        "backup": vol.In(["hot", "cold"]),
        "backup_exclude": [str],
        "apparmor": bool,
        "tmpfs": bool,
        "environment": {str: str},
        "options": dict,
        "schema": dict,
        "breaking_versions": [str],
    }
)


def types(element: object) -> list[str]:
    """Return every type that a part of the options' schema names."""
    match element:
        case str():
            return [element]
        case [only]:
            return types(only)
        case dict():
            return [name for part in element.values() for name in types(part)]
        case _:
            raise AssertionError(element)


def is_optional(element: object) -> bool:
    return types(element)[0].endswith("?") and not isinstance(element, dict)


def options_from(path: Path, options: dict[str, Any]) -> Options:
    """Give the options to the server as the Supervisor does."""
    path.write_text(json.dumps(options))
    return load({"HOMEIQ_OPTIONS": str(path)})


def test_config_holds_only_what_the_supervisor_knows() -> None:
    SCHEMA(CONFIG)


def test_the_app_starts_before_and_ends_after_home_assistant_and_is_backed_up_cold() -> None:
    assert (CONFIG["startup"], CONFIG["backup"]) == ("services", "cold")
    assert CONFIG["timeout"] >= 60
    assert CONFIG["discovery"] == [SERVICE]
    assert CONFIG["services"] == ["mqtt:want"]


@pytest.mark.parametrize("name", types(CONFIG["schema"]))
def test_every_option_has_a_type_that_the_supervisor_knows(name: str) -> None:
    assert _TYPE.fullmatch(name)


def test_the_user_s_options_are_all_of_the_server_s_but_the_container_s() -> None:
    assert set(CONFIG["schema"]) == {name for name, *_ in table()} - NOT_THE_USER_S


def test_an_option_without_a_default_is_optional() -> None:
    needed = {name for name, element in CONFIG["schema"].items() if not is_optional(element)}
    assert needed <= set(CONFIG["options"])


def test_the_defaults_are_the_server_s_own(tmp_path: Path) -> None:
    assert options_from(tmp_path / "options.json", CONFIG["options"]) == load({"HOMEIQ_OPTIONS": "/nowhere"})


def test_the_server_takes_every_option_as_the_form_gives_it(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch()
    naming = {"override_measurement": "all", "ignore_attributes": ["icon"]}
    given: dict[str, Any] = {
        "influx_url": "https://influx.example:8086",
        "influx_token": "hush",
        "influx_org": "home",
        "influx_bucket": "Home Assistant",
        "verify_ssl": False,
        "ssl_ca_cert": str(authority),
        "retention": "30d",
        "schema": "events",
        "extra_tags": ["area", "device", "integration"],
        "gap_markers": True,
        "core": {
            "measurement_attr": "entity_id",
            "default_measurement": "other",
            "tags": ["home=mine"],
            "tags_attributes": ["friendly_name"],
            **naming,
        },
        "core_components": [{"match": "glob", "name": "sensor.*_power", **naming}],
        "history": False,
        "spool_limit_mb": 16,
        "when_full": "drop_oldest",
        "drain_lines_per_second": 100,
        "store": True,
        "database_url": "postgresql://homeiq:hush@postgres.example/homeiq",
        "database_owner_url": "postgresql://homeiq_owner:hush@postgres.example/homeiq",
        "database_verify_ssl": True,
        "database_ca_cert": str(authority),
        "hourly_days": 90,
        "ingest": True,
        "mqtt_url": "mqtts://broker.example:8883",
        "mqtt_username": "homeiq",
        "mqtt_password": "hush",
        "mqtt_verify_ssl": True,
        "mqtt_ca_cert": str(authority),
        "mqtt_share": "homeiq",
        "zigbee2mqtt_topic": "zigbee2mqtt",
        "ingest_require_token": False,
        "ingest_payload_bytes": 4_096,
        "ingest_metrics": 20,
        "ingest_batch": 10,
        "ingest_device_rate": 1,
        "ingest_device_burst": 2,
        "ingest_tenant_rate": 100,
        "ingest_tenant_burst": 200,
        "quarantine_kept": 0,
        "quarantine_days": 1,
        "alert_days": 30,
        "webhook_allow": ["192.168.1.0/24"],
        "smtp_host": "mail.example",
        "smtp_port": 465,
        "smtp_security": "tls",
        "smtp_username": "homeiq",
        "smtp_password": "hush",
        "smtp_from": "homeiq@example.org",
        "cors_origins": ["https://grafana.example:3000"],
        "log_level": "debug",
    }
    assert set(given) == set(CONFIG["schema"]) - {"influx_username", "influx_password"}
    assert set(given["core"]) == set(CONFIG["schema"]["core"])
    options = options_from(tmp_path / "options.json", given)
    assert options.retention == "30d"
    assert options.core.tags


def test_every_option_has_a_name_and_a_description() -> None:
    assert_described(CONFIG["schema"], ENGLISH["configuration"])
    assert set(ENGLISH["network"]) == set(CONFIG["ports"]) == set(CONFIG["ports_description"])


def assert_described(schema: dict[str, Any], texts: dict[str, Any]) -> None:
    assert list(texts) == list(schema)
    for name, element in schema.items():
        assert texts[name]["name"]
        assert texts[name]["description"].endswith(".")
        part = element[0] if isinstance(element, list) else element
        if isinstance(part, dict):
            assert_described(part, texts[name]["fields"])
        assert set(texts[name]) <= {"name", "description", "fields"}


@pytest.mark.parametrize(
    ("name", "shape", "default", "meaning"), [row for row in table() if row[0] in CONFIG["schema"]]
)
def test_every_option_is_in_the_documentation(name: str, shape: str, default: str, meaning: str) -> None:
    assert f"| `{name}` | {shape} | {default} | {meaning} |" in (APP / "DOCS.md").read_text()


def test_the_ports_are_the_server_s() -> None:
    default = Options()
    assert CONFIG["ingress_port"] == default.ingress_port
    assert list(CONFIG["ports"]) == [f"{default.port}/tcp"]
    assert CONFIG["watchdog"] == f"http://[HOST]:[PORT:{default.port}]/api/v1/info"
    assert f"EXPOSE {default.port} {default.ingress_port}" in DOCKERFILE


def test_the_dockerfile_sets_options_that_exist(tmp_path: Path) -> None:
    environment = dict(re.findall(r"(HOMEIQ_\w+)=(\S+)", DOCKERFILE))
    options = load(environment | {"HOMEIQ_OPTIONS": str(tmp_path / "none")})
    assert {name.removeprefix("HOMEIQ_").lower() for name in environment} <= NOT_THE_USER_S | {"user"}
    assert (options.host, options.ingress_host, options.ingress_peer) == ("0.0.0.0", "0.0.0.0", "172.30.32.2")  # noqa: S104 - in a container
    assert options.data_dir == Path("/data/homeiq")


def test_the_image_installs_the_tested_lock() -> None:
    assert "--require-hashes -r requirements.lock" in DOCKERFILE
    assert "--no-deps ." in DOCKERFILE


def test_the_image_brings_no_database_that_is_made_at_its_installation() -> None:
    common, _, server = DOCKERFILE.partition("create_main_cluster = false")
    assert "postgresql-common" in common
    assert '"postgresql-17=' in server


def test_the_image_starts_the_server_itself_so_that_a_signal_reaches_it() -> None:
    assert re.search(r'^CMD \["/opt/homeiq/bin/homeiq-server"\]$', DOCKERFILE, re.MULTILINE)
    assert "homeiq-server" in tomllib.loads((APP / "pyproject.toml").read_text())["project"]["scripts"]


def test_the_profile_lets_through_what_the_dockerfile_installs() -> None:
    profile = (APP / "apparmor.txt").read_text()
    programs = ("/opt/homeiq/bin/*", "/usr/bin/victoria-metrics", "/usr/lib/postgresql/*/bin/*")
    for path in (*programs, "/usr/share/postgresql/**", "/data/homeiq/**", "/ssl/**"):
        assert f"  {path} " in profile
    assert profile.count("{") == profile.count("}")


def test_all_versions_are_one() -> None:
    manifest = json.loads((ROOT / "custom_components/homeiq/manifest.json").read_text())
    newest = re.search(r"^## (\S+)$", (APP / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert {
        CONFIG["version"],
        tomllib.loads((APP / "pyproject.toml").read_text())["project"]["version"],
        tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"],
        manifest["version"],
        newest[1],
        *re.findall(r"BUILD_VERSION=(\S+)", DOCKERFILE),
    } == {VERSION}


def test_the_oldest_home_assistant_is_the_one_of_the_integration() -> None:
    assert CONFIG["homeassistant"] == json.loads((ROOT / "hacs.json").read_text())["homeassistant"]


def test_nothing_else_in_the_repository_looks_like_an_app() -> None:
    """The store reads every such file of the clone but those below a folder with a dot, or ``rootfs``."""
    found = [
        path.relative_to(ROOT)
        for path in ROOT.glob("[!.]*/**/config.*")
        if path.suffix in (".yaml", ".yml", ".json") and not any(part.startswith(".") for part in path.parts[:-1])
    ]
    assert found + list(ROOT.glob("config.*")) == [Path("addon/config.yaml")]


def test_the_repository_names_itself() -> None:
    repository = yaml.safe_load((ROOT / "repository.yaml").read_text())
    vol.Schema({vol.Required("name"): str, "url": vol.Url(), "maintainer": str})(repository)
    assert repository["url"] == CONFIG["url"]


@pytest.mark.parametrize(
    ("path", "size"),
    [
        ("addon/icon.png", (128, 128)),
        ("addon/logo.png", (250, 100)),
        ("custom_components/homeiq/brand/icon.png", (256, 256)),
        ("custom_components/homeiq/brand/icon@2x.png", (512, 512)),
        ("custom_components/homeiq/brand/logo.png", (None, 128)),
        ("custom_components/homeiq/brand/logo@2x.png", (None, 256)),
        ("custom_components/homeiq/brand/dark_logo.png", (None, 128)),
        ("custom_components/homeiq/brand/dark_logo@2x.png", (None, 256)),
    ],
)
def test_the_images_have_their_sizes(path: str, size: tuple[int | None, int]) -> None:
    head = (ROOT / path).read_bytes()[:24]
    assert head.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
    assert (size[0] and width, height) == size
