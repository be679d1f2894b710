"""The bearer token's file."""

import stat
from pathlib import Path

import pytest

from homeiq_server import token


def test_the_first_start_makes_a_token_that_only_its_owner_reads(tmp_path: Path) -> None:
    made = token.load(tmp_path)
    file = tmp_path / "token"

    assert file.read_text().strip() == made.reveal()
    assert len(made.reveal()) >= 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["token"]


def test_the_token_stays(tmp_path: Path) -> None:
    assert token.load(tmp_path).reveal() == token.load(tmp_path).reveal()


def test_a_token_that_others_could_read_is_closed(tmp_path: Path) -> None:
    token.load(tmp_path)
    (tmp_path / "token").chmod(0o644)
    token.load(tmp_path)
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


@pytest.mark.parametrize("damaged", [b"", b"short", b"\xff" * 64, b"\x00" * 10])
def test_a_damaged_file_is_replaced(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "token").write_bytes(damaged)
    assert len(token.load(tmp_path).reveal()) >= 32


def test_what_a_crash_left_behind_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "token.new").write_text("half a tok")
    assert token.load(tmp_path).matches((tmp_path / "token").read_text().strip())


def test_only_the_token_matches(tmp_path: Path) -> None:
    made = token.load(tmp_path)
    assert made.matches(made.reveal())
    assert not any(made.matches(claim) for claim in ("", made.reveal()[:-1], made.reveal() + "x", "\udcff", "é"))


def test_a_token_shows_nowhere_by_accident(tmp_path: Path) -> None:
    made = token.load(tmp_path)
    assert made.reveal() not in f"{made!r} {made}"
