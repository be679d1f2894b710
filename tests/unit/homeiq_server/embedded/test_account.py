"""The account of programs that refuse to run as root."""

import os
import pwd
import stat
from pathlib import Path

import pytest

from homeiq_server.embedded.account import Account, unprivileged
from homeiq_server.errors import Misconfigured

STRANGER = Account("stranger", os.getuid() + 1, os.getgid() + 1)
OURSELVES = Account("ourselves", os.getuid(), os.getgid())
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def opened(folder: Path) -> Path:
    """Let everybody pass through all folders that pytest closed."""
    for place in (folder, *folder.parents):
        if place.stat().st_uid == os.getuid() and place.name.startswith(("pytest", "test_")):
            place.chmod(0o755)
    return folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_ordinary_user_runs_its_programs_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert unprivileged() is None


def test_root_becomes_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    account = unprivileged()
    assert account
    assert account.uid == pwd.getpwnam(account.name).pw_uid != 0


def test_root_without_anybody_to_become_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", nobody)
    with pytest.raises(Misconfigured, match="there is no user postgres or nobody"):
        unprivileged()


def test_a_closed_folder_on_the_way_is_named_with_the_remedies(tmp_path: Path) -> None:
    inner = opened(tmp_path) / "closed" / "inner"
    inner.mkdir(parents=True)
    inner.parent.chmod(0o700)
    with pytest.raises(Misconfigured) as caught:
        STRANGER.check_reach(inner, instead="choose another data_dir")
    assert f"the folder {inner.parent} is closed to the user stranger" in str(caught.value)
    assert f"(chmod o+x {inner.parent}), choose another data_dir, or run homeiq-server" in str(caught.value)


@pytest.mark.parametrize(
    ("account", "bits", "passes"),
    [
        (STRANGER, 0o001, True),
        (STRANGER, 0o770, False),
        (Account("group", os.getuid() + 1, os.getgid()), 0o010, True),
        (Account("group", os.getuid() + 1, os.getgid()), 0o707, False),
        (OURSELVES, 0o100, True),
        (OURSELVES, 0o077, False),
    ],
)
def test_the_bits_that_count_are_those_of_the_first_that_fits(
    tmp_path: Path, account: Account, bits: int, *, passes: bool
) -> None:
    folder = opened(tmp_path) / "folder"
    folder.mkdir()
    folder.chmod(bits)
    try:
        account.check_reach(folder, instead="")
    except Misconfigured:
        assert not passes
    else:
        assert passes
    finally:
        folder.chmod(0o700)


@as_root
def test_a_private_folder_lets_the_account_through_and_nobody_else(tmp_path: Path) -> None:
    folder = opened(tmp_path) / "data"
    folder.mkdir(mode=0o700)
    STRANGER.let_through(folder)
    STRANGER.check_reach(folder, instead="")
    assert (folder.stat().st_uid, folder.stat().st_gid, mode(folder)) == (0, STRANGER.gid, 0o710)


def test_a_folder_with_a_group_of_its_own_keeps_it(tmp_path: Path) -> None:
    folder = opened(tmp_path) / "data"
    folder.mkdir()
    folder.chmod(0o750)
    STRANGER.let_through(folder)
    assert (folder.stat().st_gid, mode(folder)) == (os.getgid(), 0o751)


def test_an_open_folder_is_left_as_it_is(tmp_path: Path) -> None:
    folder = opened(tmp_path) / "data"
    folder.mkdir()
    folder.chmod(0o755)
    STRANGER.let_through(folder)
    assert mode(folder) == 0o755


@as_root
def test_a_folder_is_given_away_with_all_that_is_in_it(tmp_path: Path) -> None:
    inner = tmp_path / "own" / "inner"
    inner.mkdir(parents=True)
    (inner / "file").write_text("")
    (inner / "link").symlink_to(tmp_path)
    STRANGER.own(tmp_path / "own")
    for path in (tmp_path / "own", inner, inner / "file", inner / "link"):
        assert path.lstat().st_uid == STRANGER.uid
    assert tmp_path.stat().st_uid == 0
    assert mode(tmp_path / "own") == 0o700


def test_a_missing_folder_is_made_for_the_account_alone(tmp_path: Path) -> None:
    OURSELVES.own(tmp_path / "own")
    assert mode(tmp_path / "own") == 0o700
