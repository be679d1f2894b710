"""What must be true of the source as a whole."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SERVER = ROOT / "addon" / "homeiq_server"
INTEGRATION = ROOT / "custom_components" / "homeiq"
SHIPPED = sorted([*SERVER.rglob("*.py"), *INTEGRATION.rglob("*.py")])

# What Home Assistant itself brings along, so that the integration need not ask for it.
PART_OF_HOME_ASSISTANT = {"homeassistant", "aiohasupervisor", "aiohttp", "probatio", "sqlalchemy", "voluptuous", "yarl"}


def imports(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, absolute ones only."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def foreign(folder: Path, own: str) -> set[str]:
    """Return the packages that a folder's code needs beyond the standard library and itself."""
    packages = {name.partition(".")[0] for path in folder.rglob("*.py") for name in imports(path)}
    return packages - sys.stdlib_module_names - {own}


def siblings(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports from its own package, as dotted names below the server's."""
    package = path.parent.relative_to(SERVER.parent).as_posix().replace("/", ".")
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            base = f"{package}.{node.module}" if node.module else package
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def test_the_server_needs_just_what_it_declares() -> None:
    project = tomllib.loads((ROOT / "addon" / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[\[<>=~ ]", each)[0].replace("-", "_") for each in project["dependencies"]}
    assert foreign(SERVER, "homeiq_server") == declared


def test_the_integration_needs_nothing_that_home_assistant_does_not_bring() -> None:
    assert foreign(INTEGRATION, "custom_components") <= PART_OF_HOME_ASSISTANT


def test_every_module_of_the_server_is_used_by_another() -> None:
    used = {name for path in SERVER.rglob("*.py") for name in (*imports(path), *siblings(path))}
    modules = {
        path.relative_to(SERVER.parent).with_suffix("").as_posix().replace("/", ".")
        for path in SERVER.rglob("*.py")
        if path.name not in ("__init__.py", "__main__.py")
    }
    # Started as a program of its own, so that it can outlive a killed server.
    assert sorted(modules - used) == []


@pytest.mark.parametrize(
    "forbidden",
    [
        r"sys\.path\b",  # the package is installed, wherever it is started from
        r"\bssl=False\b|verify=False|(?<!verify_mode = ssl\.)CERT_NONE",  # certificates are checked
        r"\._(name|tags|fields)\b.*Point",  # nobody else's private attributes
        r"\basync_fire_and_forget|ensure_future\(",  # every task has an owner
        r"datetime\.utcnow|utcfromtimestamp",  # no naive times
        r"endswith\([\"'] ?0|[\"'](DELETE|UPDATE|INSERT 0) 0[\"']",  # what a statement did is what it RETURNs
        r"(?<![\w.])hash\(",  # salted: another value in each process
    ],
)
def test_no_file_has(forbidden: str) -> None:
    found = [path for path in SHIPPED if re.search(forbidden, path.read_text())]
    assert found == []


def test_connections_of_the_store_come_from_the_pool_which_begins_the_transaction_with_the_tenant() -> None:
    made = re.compile(r"create_pool\(|asyncpg\.connect\(|\.acquire\(|app\.tenant_id|\bSET (LOCAL )?ROLE\b")
    places = {path.relative_to(SERVER).as_posix() for path in SHIPPED if made.search(path.read_text())}
    # The administrator makes the roles of the app's own server, before there are tables.
    assert places == {"store/pool.py", "embedded/postgres_roles.py"}


def test_no_file_is_too_long_to_be_read_at_once() -> None:
    lines = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in SHIPPED}
    assert {path: count for path, count in lines.items() if count > 400} == {}


def test_a_certificate_goes_unchecked_only_where_an_option_says_so() -> None:
    unchecked = re.compile(
        r"if not options\.\w*verify_ssl:\n\s+context\.check_hostname = False\n\s+context\.verify_mode = ssl"
    )
    found = [
        path
        for path in SHIPPED
        if len(re.findall("verify_mode", text := path.read_text())) != len(unchecked.findall(text))
    ]
    assert found == []


_ERRORS = ("Exception", "Error", "RetryLater", "Misconfigured")


def test_no_class_is_an_empty_shell_but_errors_and_shapes_of_nothing() -> None:
    shells = [
        f"{path.relative_to(ROOT)}::{node.name}"
        for path in SHIPPED
        if path.name != "errors.py"  # there the name is all that is needed
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and all(isinstance(part, ast.Pass | ast.Expr) for part in node.body)
        if not any(ast.unparse(base).endswith((*_ERRORS, "Struct")) for base in node.bases)
    ]
    assert shells == []


def test_tests_are_in_tests_only() -> None:
    assert [path for path in SHIPPED if path.name.startswith("test_") or path.name == "conftest.py"] == []


def test_no_lock_file_names_a_package_index() -> None:
    locks = [*(ROOT / "requirements").glob("*.lock"), ROOT / "addon" / "requirements.lock"]
    assert [path.name for path in locks if "://" in path.read_text()] == []


def test_what_the_server_ships_is_what_is_tested() -> None:
    shipped = set(re.findall(r"^(\S+==\S+)", (ROOT / "addon" / "requirements.lock").read_text(), re.MULTILINE))
    tested = set(re.findall(r"^(\S+==\S+)", (ROOT / "requirements" / "server.lock").read_text(), re.MULTILINE))
    assert shipped <= tested
