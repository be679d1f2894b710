"""What hassfest and the Marketplace check of the integration's folder, as far as it can be checked without them.

hassfest is not published as a package; the rules are its own (home-assistant/core, ``script/hassfest``) for custom
integrations, and those of the Marketplace's predecessor (hacs/integration, ``utils/validate.py``) for ``hacs.json``.
"""

import json
import re
import struct
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "custom_components" / "homeiq"
pytest.importorskip("homeassistant")
sys.path.insert(0, str(ROOT))

import probatio  # noqa: E402
import yaml  # noqa: E402
from awesomeversion import AwesomeVersion, AwesomeVersionStrategy  # noqa: E402
from homeassistant.loader import Manifest  # noqa: E402

from custom_components.homeiq import (  # noqa: E402
    alert_event,
    binary_sensor,
    config_flow,
    device_sensor,
    errors,
    event,
    finding_actions,
    finding_issues,
    insight_sensor,
    issues,
    metric_kinds,
    options,
    repairs,
    sensor,
    services,
)
from custom_components.homeiq.const import DOMAIN  # noqa: E402

URL = probatio.Match(r"^https://(?!www\.home-assistant\.io/integrations)")
MANIFEST = probatio.Schema(
    {
        probatio.Required("domain"): DOMAIN,
        probatio.Required("name"): str,
        probatio.Required("codeowners"): [probatio.Match(r"^@[\w-]+$")],
        probatio.Required("documentation"): URL,
        probatio.Required("issue_tracker"): URL,
        probatio.Required("version"): str,
        probatio.Required("iot_class"): probatio.In(["local_push", "local_polling", "calculated"]),
        "after_dependencies": [str],
        "config_flow": True,
        "integration_type": probatio.In(["device", "hub", "service"]),
    }
)
HACS = probatio.Schema(
    {
        probatio.Required("name"): str,
        "content_in_root": bool,
        "country": probatio.Any(str, [str]),
        "filename": str,
        "hacs": str,
        "hide_default_branch": bool,
        "homeassistant": str,
        "persistent_directory": str,
        "render_readme": bool,
        "zip_release": bool,
    }
)
STRATEGIES = [
    AwesomeVersionStrategy.CALVER,
    AwesomeVersionStrategy.SEMVER,
    AwesomeVersionStrategy.SIMPLEVER,
    AwesomeVersionStrategy.BUILDVER,
    AwesomeVersionStrategy.PEP440,
]


def read(name: str) -> Any:  # noqa: ANN401 - any JSON
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


ENGLISH = read("translations/en.json")


def texts(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text of a translation with its path."""
    for key, value in tree.items():
        if isinstance(value, str):
            yield f"{path}{key}", value
        else:
            yield from texts(value, f"{path}{key}.")


def app_errors() -> set[str]:
    """Return the keys of every error that the client can raise."""
    found = {one.key for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.AppError)}
    assert len(found) > 5
    return found


def raised_by_actions() -> set[str]:
    """Return the keys of what else an action can say."""
    sources = [(FOLDER / name).read_text(encoding="utf-8") for name in ("services.py", "finding_actions.py")]
    return set(re.findall(r'(?:translation_key=|_failed\()"(\w+)"', "".join(sources)))


def test_the_manifest_is_one_that_hassfest_takes() -> None:
    manifest: Manifest = MANIFEST(read("manifest.json"))
    keys = list(manifest)

    assert FOLDER.name == manifest["domain"]
    assert keys == ["domain", "name", *sorted(keys[2:])]
    assert AwesomeVersion(manifest["version"]).strategy in STRATEGIES


def test_the_integration_and_the_app_have_one_version() -> None:
    app = (ROOT / "addon" / "homeiq_server" / "__init__.py").read_text(encoding="utf-8")

    assert f'VERSION: Final = "{read("manifest.json")["version"]}"' in app


def test_hacs_json_is_one_that_the_marketplace_takes() -> None:
    hacs = HACS(json.loads((ROOT / "hacs.json").read_text(encoding="utf-8")))

    assert hacs["homeassistant"] == "2026.10.0"
    assert hacs["filename"] == f"{DOMAIN}.zip"


def test_there_is_no_strings_json() -> None:
    assert not (FOLDER / "strings.json").exists(), "only core has one; a custom integration has translations/en.json"


def test_every_step_of_the_flows_has_its_texts_and_only_those() -> None:
    steps = {name.removeprefix("async_step_") for name in vars(config_flow.HomeIQConfigFlow) if "async_step" in name}
    silent = {"hassio", "reauth"}  # they only lead to the next

    assert set(ENGLISH["config"]["step"]) == steps - silent
    assert set(ENGLISH["options"]["step"]) == {"init"}
    assert set(ENGLISH["config"]["step"]["user"]["menu_options"]) <= steps


@pytest.mark.parametrize(
    ("step", "schema"),
    [
        ("manual", config_flow._MANUAL_SCHEMA),
        ("reconfigure", config_flow._RECONFIGURE_SCHEMA),
        ("reauth_confirm", config_flow._TOKEN_SCHEMA),
    ],
)
def test_every_field_has_a_name_and_a_description(step: str, schema: probatio.Schema) -> None:
    fields = {str(key) for key in schema.schema}

    assert set(ENGLISH["config"]["step"][step]["data"]) == fields
    assert set(ENGLISH["config"]["step"][step]["data_description"]) == fields


@pytest.mark.parametrize(
    ("section", "schema"),
    [
        ("include", options._lists([], {})),
        ("exclude", options._lists([], {})),
        ("devices", options._devices({})),
    ],
)
def test_every_field_of_the_options_has_a_name_and_a_description(section: str, schema: probatio.Schema) -> None:
    fields = {str(key) for key in schema.schema}
    translated = ENGLISH["options"]["step"]["init"]["sections"][section]

    assert set(translated["data"]) == set(translated["data_description"]) == fields
    assert translated["name"]
    assert translated["description"]


def test_every_error_of_the_link_has_its_texts() -> None:
    own = {"invalid_url", "invalid_token", "invalid_discovery_info"}
    ends = {"already_configured", "another_app", "reauth_successful", "reconfigure_successful"}

    assert set(ENGLISH["config"]["error"]) == app_errors() | own
    assert set(ENGLISH["config"]["abort"]) == app_errors() | own | ends
    assert set(ENGLISH["exceptions"]) == app_errors() | raised_by_actions()


def test_every_issue_has_its_texts() -> None:
    of_findings = {finding_issues.FINDING, finding_issues.MORE_FINDINGS}
    fix = ENGLISH["issues"][finding_issues.FINDING]["fix_flow"]

    assert set(ENGLISH["issues"]) == {*issues._VERSION_KEYS, *(one.key for one in issues._NOTICES), *of_findings}
    assert set(fix["step"]["init"]["menu_options"]) == set(repairs.MENU)
    assert all(hasattr(repairs.FindingRepairFlow, f"async_step_{step}") for step in (*fix["step"], *repairs.MENU))
    assert set(fix["abort"]) == set(re.findall(r'reason="(\w+)"', Path(repairs.__file__).read_text(encoding="utf-8")))


def test_every_entity_has_a_name_and_an_icon() -> None:
    of_devices = (*insight_sensor.INSIGHT_SENSORS, *device_sensor.DEVICE_SENSORS)
    sensors = {one.translation_key for one in (*sensor.APP_SENSORS, *sensor.BUFFER_SENSORS, *of_devices)}
    sensors |= {kind.key for kind in metric_kinds.KINDS if kind.key is not None}

    assert set(ENGLISH["entity"]["sensor"]) == sensors
    assert set(ENGLISH["entity"]["binary_sensor"]) == {binary_sensor.CONNECTIVITY.translation_key}
    events = {event.FINDING.key, alert_event.ALERT.key}
    assert set(ENGLISH["entity"]["event"]) == set(read("icons.json")["entity"]["event"]) == events
    assert set(read("icons.json")["entity"]["sensor"]) == sensors  # the binary sensor's device class has an icon


def test_no_text_holds_an_address_a_tag_or_a_quoted_placeholder() -> None:
    for path, text in texts(ENGLISH):
        assert not re.search(r"https?://|<[a-z/]|'\{|\[%key:", text), path
        assert text == text.strip(), path


@pytest.mark.parametrize("path", sorted((FOLDER / "translations").glob("*.json")), ids=lambda path: path.stem)
def test_a_translation_has_no_other_keys_and_placeholders_than_the_english_one(path: Path) -> None:
    english = dict(texts(ENGLISH))
    for key, text in texts(json.loads(path.read_text(encoding="utf-8"))):
        assert key in english
        assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", english[key])), key


def test_every_action_and_each_of_its_fields_is_described() -> None:
    described = yaml.safe_load((FOLDER / "services.yaml").read_text(encoding="utf-8"))
    schemas = {
        services.BACKFILL: services.BACKFILL_SCHEMA,
        services.IMPORT_STATISTICS: services.IMPORT_STATISTICS_SCHEMA,
        finding_actions.MUTE_FINDING: finding_actions.MUTE_FINDING_SCHEMA,
        finding_actions.DEVICE_REPORT: finding_actions.DEVICE_REPORT_SCHEMA,
    }
    fields = {action: {str(key) for key in schema.schema} for action, schema in schemas.items()}

    assert {action: set(one["fields"]) for action, one in described.items()} == fields
    assert {action: set(one["fields"]) for action, one in ENGLISH["services"].items()} == fields
    assert set(read("icons.json")["services"]) == set(fields)


def test_the_ledger_of_quality_says_done_or_why_not() -> None:
    rules = yaml.safe_load((FOLDER / "quality_scale.yaml").read_text(encoding="utf-8"))["rules"]
    for name, state in rules.items():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
        assert state == "done" or (state["status"] in {"exempt", "todo", "done"} and state["comment"]), name
    assert len(rules) == 54


def test_the_icon_is_square_and_of_a_size_that_is_asked_for() -> None:
    for name, size in (("icon.png", 256), ("icon@2x.png", 512)):
        head = (FOLDER / "brand" / name).read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">II", head[16:24]) == (size, size)
