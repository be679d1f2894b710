"""The embedded database's program, log and limits; it runs in tests/integration."""

import json
import logging
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeiq_server.embedded.child import State
from homeiq_server.embedded.victoria_metrics import VictoriaMetrics, parse_line
from homeiq_server.errors import InvalidOptions


def executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("name", ["victoria-metrics", "victoria-metrics-prod"])
def test_the_program_is_found_on_the_path(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(executable(tmp_path / "bin" / name).parent))
    database = VictoriaMetrics(data_dir=tmp_path)
    assert database.state is State.STOPPED
    assert database.url.startswith("http://127.0.0.1:")


def test_a_missing_program_gives_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidOptions, match=r"not on the PATH.*Debian package victoria-metrics.*influx_url"):
        VictoriaMetrics(data_dir=tmp_path)


def test_a_wrong_program_is_named_with_its_option(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptions, match=r"the option victoria_metrics names /nowhere/vm"):
        VictoriaMetrics(data_dir=tmp_path, program=Path("/nowhere/vm"))


@pytest.mark.parametrize(("retention", "days"), [("1d", 1), ("30d", 30), ("2w", 14), ("10y", 3650)])
def test_the_retention_can_be_known(tmp_path: Path, retention: str, days: int) -> None:
    program = executable(tmp_path / "vm")
    database = VictoriaMetrics(data_dir=tmp_path, retention=retention, program=program)
    assert database.retention == timedelta(days=days)


@pytest.mark.parametrize(
    ("level", "expected"),
    [("info", logging.DEBUG), ("warn", logging.WARNING), ("error", logging.ERROR), ("panic", logging.CRITICAL)],
)
def test_a_log_line_keeps_its_weight(level: str, expected: int) -> None:
    line = json.dumps({"ts": "2026-11-22T03:40:24.313Z", "level": level, "caller": "fs.go:288", "msg": "FATAL: no"})
    assert parse_line(line.encode()) == (expected, "FATAL: no")


def test_what_it_refused_to_a_client_is_no_news() -> None:
    line = json.dumps({"level": "warn", "msg": 'remoteAddr: "127.0.0.1:1"; cannot process influx line protocol data'})
    assert parse_line(line.encode())[0] == logging.DEBUG


@pytest.mark.parametrize("text", ["flag provided but not defined: -x", "cannot run /vm: Permission denied"])
def test_a_plain_line_that_tells_why_it_did_not_start_is_an_error(text: str) -> None:
    assert parse_line(text.encode()) == (logging.ERROR, text)


@given(st.binary())
@settings(derandomize=True, deadline=None)
def test_any_line_can_be_read(line: bytes) -> None:
    level, text = parse_line(line)
    assert level in (logging.DEBUG, logging.ERROR)
    assert isinstance(text, str)
