"""The data folder of one major version; ``initdb`` is played by a script that makes what makes a folder whole."""

from pathlib import Path

import pytest

from homeiq_server.embedded.postgres_folder import DataFolder
from homeiq_server.embedded.postgres_programs import Programs
from homeiq_server.errors import Misconfigured, RetryLater

INITDB = """#!/bin/sh
folder=${1#--pgdata=}
mkdir $folder/global && echo 18 > $folder/PG_VERSION && touch $folder/global/pg_control
"""
HALF = INITDB.replace("touch", "exit 1; touch")


def folder_of(tmp_path: Path, *, initdb: str = INITDB) -> DataFolder:
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "initdb").write_text(initdb)
    (programs / "initdb").chmod(0o755)
    (tmp_path / "data").mkdir(exist_ok=True)
    return DataFolder(tmp_path / "data", Programs(programs, 18), None)


def whole(folder: Path, major: int) -> Path:
    (folder / "global").mkdir(parents=True)
    (folder / "global" / "pg_control").touch()
    (folder / "PG_VERSION").write_text(f"{major}\n")
    return folder


def names(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "data").iterdir())


async def test_it_is_made_when_it_is_missing_and_left_alone_when_it_is_whole(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    await folder.prepare()
    (folder.path / "base").mkdir()
    folder.path.chmod(0o755)
    await folder.prepare()
    assert names(tmp_path) == ["postgresql-18"]
    assert (folder.path / "base").exists()
    assert folder.path.stat().st_mode & 0o777 == 0o700


async def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    folder.path.mkdir()
    await folder.prepare()
    assert (folder.path / "PG_VERSION").exists()


async def test_a_failed_initdb_leaves_nothing_that_looks_whole_and_is_made_up_for(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, initdb=HALF)
    with pytest.raises(RetryLater, match="initdb ended with exit code 1"):
        await folder.prepare()
    assert not folder.path.exists()
    await folder_of(tmp_path).prepare()
    assert names(tmp_path) == ["postgresql-18"]


async def test_a_damaged_folder_is_kept_aside_and_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = folder_of(tmp_path)
    (whole(folder.path, 18) / "global" / "pg_control").unlink()
    (folder.path / "precious").touch()
    await folder.prepare()
    (kept,) = (tmp_path / "data").glob("postgresql-18.damaged-*/precious")
    assert f"is no whole folder of PostgreSQL: kept as {kept.parent}" in caplog.text
    assert not (folder.path / "precious").exists()
    assert (folder.path / "global" / "pg_control").exists()


@pytest.mark.parametrize("own", [True, False])
async def test_the_folder_of_a_newer_version_is_refused_with_the_remedies(tmp_path: Path, *, own: bool) -> None:
    folder = folder_of(tmp_path)
    if own:
        whole(folder.path, 18)
    newer = whole(tmp_path / "data" / "postgresql-19", 19)
    before = names(tmp_path)
    with pytest.raises(Misconfigured) as caught:
        await folder.prepare()
    assert str(caught.value).startswith("the data folder belongs to PostgreSQL 19, this app brings 18: start the newer")
    assert f"move {newer} away" in str(caught.value)
    assert names(tmp_path) == before


async def test_what_only_looks_like_a_newer_folder_is_no_obstacle(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    for name in ("postgresql-19", "postgresql-19.new", "postgresql-x"):
        (tmp_path / "data" / name).mkdir()
    (tmp_path / "data" / "postgresql-18.pid").touch()
    await folder.prepare()
    assert (folder.path / "PG_VERSION").exists()


def test_older_folders_are_listed_the_newest_first(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    for major in (9, 17, 16):
        whole(tmp_path / "data" / f"postgresql-{major}", major)
    assert [path.name for path in folder.older()] == ["postgresql-17", "postgresql-16", "postgresql-9"]
