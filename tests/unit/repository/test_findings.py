"""The faults of earlier systems: each is mapped to tests that prove it gone, or to why it cannot occur."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FINDINGS = tomllib.loads((ROOT / "tests" / "findings.toml").read_text())

# The rows of the list of findings that must be closed by now, by their numbers there.
ROWS = [*range(1, 54), *range(57, 76), *range(77, 84)]
EXPECTED = [
    *(f"row-{n}" for n in ROWS),
    *(f"trap-{n}" for n in range(1, 16)),
    *(f"defect-{n}" for n in range(1, 12)),
    *(f"struggle-{n}" for n in (2, 6, 7, 8, 9, *range(13, 24))),
]


def names_of_tests(path: Path) -> set[str]:
    """Return ``path::name`` of every test function and method in one file."""
    tree = ast.parse(path.read_text())
    relative = path.relative_to(ROOT)
    return {
        f"{relative}::{node.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


EXISTING = {name for path in (ROOT / "tests").rglob("test_*.py") for name in names_of_tests(path)}


def test_every_finding_is_mapped() -> None:
    assert sorted(set(EXPECTED) - FINDINGS.keys()) == []


@pytest.mark.parametrize("finding", sorted(FINDINGS))
def test_a_finding_names_tests_that_exist_or_why_it_cannot_occur(finding: str) -> None:
    entry = FINDINGS[finding]
    assert entry["what"]
    assert entry.get("tests") or entry.get("cannot_occur")
    assert sorted(set(entry.get("tests", [])) - EXISTING) == []
