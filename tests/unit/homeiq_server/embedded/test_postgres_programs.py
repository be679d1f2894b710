"""Where PostgreSQL's programs are found."""

import re
from pathlib import Path

import pytest

from homeiq_server.embedded.postgres_programs import find
from homeiq_server.errors import InvalidOptions

NAMES = ("postgres", "initdb", "pg_dump", "pg_restore")


def installation(folder: Path, version: str, *, names: tuple[str, ...] = NAMES) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(autouse=True)
def nothing_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))


@pytest.mark.parametrize(("version", "major"), [("17.6 (Debian 17.6-1)", 17), ("18.6", 18), ("19beta2", 19)])
def test_the_named_folder_is_used_and_its_version_known(tmp_path: Path, version: str, major: int) -> None:
    programs = find(installation(tmp_path / "bin", version), debian=tmp_path)
    assert programs.major == major
    assert programs["pg_dump"] == str(tmp_path / "bin" / "pg_dump")


def test_the_path_comes_before_debian_s_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(installation(tmp_path / "path", "17.1")))
    installation(tmp_path / "debian" / "18" / "bin", "18.1")
    assert find(None, debian=tmp_path / "debian").folder == tmp_path / "path"


def test_a_link_on_the_path_leads_to_the_other_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = installation(tmp_path / "real", "17.1")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "postgres").symlink_to(real / "postgres")
    monkeypatch.setenv("PATH", str(tmp_path / "links"))
    assert find(None, debian=tmp_path).folder == real


def test_an_old_one_on_the_path_is_passed_over_for_debian_s_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(installation(tmp_path / "path", "15.18")))
    for major in (9, 17, 18):
        installation(tmp_path / "debian" / str(major) / "bin", f"{major}.1")
    assert find(None, debian=tmp_path / "debian").major == 18


def test_without_any_the_remedies_are_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptions, match=r"neither on the PATH.*package postgresql.*option postgresql.*store"):
        find(None, debian=tmp_path)


def test_a_folder_without_all_programs_is_named_with_its_option(tmp_path: Path) -> None:
    folder = installation(tmp_path / "bin", "18.6", names=NAMES[:-1])
    with pytest.raises(InvalidOptions, match=rf"the option postgresql names {re.escape(str(folder))}.*not all of"):
        find(folder)


def test_an_old_version_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidOptions, match=r"holds PostgreSQL 15\. .*version 17 or newer"):
        find(installation(tmp_path / "bin", "15.18"))


@pytest.mark.parametrize("said", ["exit 1", "echo something else", "echo $(printf '\\377')"])
def test_programs_that_do_not_tell_their_version_are_none(tmp_path: Path, said: str) -> None:
    folder = installation(tmp_path / "bin", "18.6")
    (folder / "postgres").write_text(f"#!/bin/sh\n{said}\n")
    with pytest.raises(InvalidOptions):
        find(folder)
