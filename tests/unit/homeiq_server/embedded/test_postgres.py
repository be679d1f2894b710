"""What is known of the embedded PostgreSQL before it runs; it runs in tests/integration."""

import os
import tempfile
from pathlib import Path

import pytest

from homeiq_server.embedded.child import State
from homeiq_server.embedded.postgres import Postgres
from homeiq_server.errors import InvalidOptions


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("postgres", "initdb", "pg_dump", "pg_restore"):
        (folder / name).write_text("#!/bin/sh\necho '(PostgreSQL) 17.10'\n")
        (folder / name).chmod(0o755)
    return folder


def test_the_urls_name_the_roles_and_the_socket_and_hold_no_secret(programs: Path) -> None:
    database = Postgres(Path("/data/my home"), programs)
    assert database.url == "postgresql://homeiq@/homeiq?host=/data/my%20home/postgresql-socket"
    assert database.owner_url == "postgresql://homeiq_owner@/homeiq?host=/data/my%20home/postgresql-socket"


def test_nothing_happens_before_it_is_run(tmp_path: Path, programs: Path) -> None:
    database = Postgres(tmp_path / "data", programs)
    assert (database.state, database.error, database.generation, database.pid) == (State.STOPPED, None, 0, None)
    assert database.major == 17
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("temporary", ["short", "x" * 90])
def test_a_path_that_no_socket_can_have_gives_a_short_one_that_is_private(
    tmp_path: Path, programs: Path, temporary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / temporary
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    sockets = Path(Postgres(tmp_path / ("x" * 100), programs).url.partition("host=")[2])
    try:
        assert len(str(sockets)) < 90
        assert sockets.parent == (folder if temporary == "short" else Path("/tmp"))  # noqa: S108
        assert (sockets.stat().st_mode & 0o777, sockets.stat().st_uid) == (0o700, os.getuid())
    finally:
        sockets.rmdir()


def test_a_missing_program_gives_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptions, match=r"the option postgresql names /nowhere.*Install the Debian package"):
        Postgres(tmp_path, Path("/nowhere"))
