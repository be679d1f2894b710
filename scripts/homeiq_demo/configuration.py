"""The configuration folder of a Home Assistant that needs no internet and asks no questions."""

import json
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOMEIQ = ROOT / "custom_components" / "homeiq"

# What Home Assistant starts by default is enough; `default_config` would add integrations that search the network.
# Two libraries of the demo's cameras look for programs of the machine and shout when there are none.
CONFIGURATION = """\
homeassistant:
  name: {name}
  latitude: 52.3731
  longitude: 4.8922
  elevation: 2
  radius: 100
  unit_system: metric
  time_zone: Europe/Amsterdam
  country: NL
  currency: EUR
  language: en
api:
config:
frontend:
history:
logbook:
recorder:
  commit_interval: 1
logger:
  default: warning
  logs:
    haffmpeg: critical
    homeassistant.components.camera.img_util: critical
    custom_components.homeiq: {homeiq_level}
{integrations}
"""

# Home Assistant fetches weather, radio and speech services from the internet when this step is taken through its API.
# All that the step asks (place, units, currency) stands in the configuration above.
ONBOARDED = {"done": ["core_config"]}


# Since 2026.11 the address of the page is kept in the storage; one that comes from the YAML configuration is on trial
# for five minutes, then Home Assistant restarts without it.
HTTP = {
    "server_host": ["127.0.0.1"],
    "cors_allowed_origins": [],
    "login_attempts_threshold": -1,
    "ip_ban_enabled": True,
    "ssl_profile": "intermediate_v6",
    "use_x_frame_options": True,
    "created_at": "2026-11-01T00:00:00+00:00",
    "error": None,
    "error_message": None,
}


def write_configuration(  # noqa: PLR0913  each is one setting, given by its name
    folder: Path,
    *,
    port: int,
    name: str = "HomeIQ demo",
    integrations: tuple[str, ...] = ("demo",),
    custom_components: Mapping[str, Path] | None = None,
    homeiq_level: str = "info",
) -> None:
    """Write the folder, or renew its configuration when it was used before; of its storage only the port is renewed.

    The integration is linked, so that Home Assistant runs the source itself; ``custom_components`` are further ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    enabled = "\n".join(f"{integration}:" for integration in integrations)
    text = CONFIGURATION.format(name=name, homeiq_level=homeiq_level, integrations=enabled)
    (folder / "configuration.yaml").write_text(text)
    write_http(folder, port)
    if not (folder / ".storage" / "onboarding").exists():
        _store(folder, "onboarding", version=4, content=ONBOARDED)
    links = folder / "custom_components"
    links.mkdir(exist_ok=True)
    for domain, source in {"homeiq": HOMEIQ, **(custom_components or {})}.items():
        link = links / domain
        link.unlink(missing_ok=True)
        link.symlink_to(source, target_is_directory=True)


def write_http(folder: Path, port: int) -> None:
    """Let Home Assistant listen on a port of loopback; nothing else of the folder is touched."""
    stable = {**HTTP, "server_port": port}
    _store(folder, "http", version=3, content={"stable": stable, "pending": None, "yaml_migration_done": True})


def _store(folder: Path, key: str, *, version: int, content: Mapping[str, object]) -> None:
    """Write one of Home Assistant's storage files."""
    (folder / ".storage").mkdir(parents=True, exist_ok=True)
    stored = {"version": version, "minor_version": 1, "key": key, "data": content}
    (folder / ".storage" / key).write_text(json.dumps(stored))
