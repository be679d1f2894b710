"""The embedded PostgreSQL's settings, and how its log is read."""

import logging
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeiq_server.embedded.postgres_settings import arguments, fits, parse_line
from homeiq_server.embedded.postgres_settings import settings as settings_of

DATA, SOCKETS = Path("/data/postgresql-18"), Path("/data/postgresql-socket")


def test_each_setting_is_an_argument_of_its_own() -> None:
    given = arguments(18, data=DATA, sockets=SOCKETS)
    assert given[:2] == ("-D", str(DATA))
    assert given[2::2] == ("-c",) * len(given[3::2])
    assert "listen_addresses=" in given
    assert f'unix_socket_directories="{SOCKETS}"' in given


def test_a_comma_or_a_quote_in_the_folder_s_name_makes_no_second_folder() -> None:
    given = arguments(18, data=DATA, sockets=Path('/a, "b"'))
    assert 'unix_socket_directories="/a, ""b"""' in given


def test_17_is_given_nothing_that_it_does_not_know() -> None:
    assert settings_of(18).keys() - settings_of(17).keys() == {"io_method", "autovacuum_worker_slots"}


@pytest.mark.parametrize(
    ("folder", "fitting"),
    [("/" + 91 * "x", True), ("/" + 92 * "x", False), ("/" + 45 * "é", True), ("/" + 46 * "é", False)],
)
def test_a_socket_s_path_has_less_than_107_bytes(folder: str, *, fitting: bool) -> None:
    assert fits(Path(folder)) is fitting


def test_a_comma_in_the_path_would_be_two_hosts() -> None:
    assert not fits(Path("/a,b"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"postmaster|LOG:  starting PostgreSQL 18.6", (logging.DEBUG, "starting PostgreSQL 18.6")),
        (b"postmaster|FATAL:  lock file exists", (logging.ERROR, "lock file exists")),
        (b"startup|PANIC:  could not locate a checkpoint", (logging.CRITICAL, "could not locate a checkpoint")),
        (b"FATAL:  before there are settings", (logging.ERROR, "before there are settings")),
        (b"autovacuum worker|ERROR:  invalid page", (logging.ERROR, "invalid page")),
        (b"checkpointer|WARNING:  slow", (logging.WARNING, "slow")),
        (b"client backend|ERROR:  syntax error", (logging.DEBUG, "syntax error")),
        (b"client backend|FATAL:  the system is starting up", (logging.DEBUG, "the system is starting up")),
        (b"dead-end client backend|FATAL:  starting up", (logging.DEBUG, "starting up")),
        (b"not initialized|FATAL:  no such role", (logging.DEBUG, "no such role")),
        (b"client backend|PANIC:  no space left", (logging.CRITICAL, "no space left")),
        (
            b"postmaster|LOG:  client backend (PID 7) was terminated by signal 9: Killed",
            (logging.WARNING, "client backend (PID 7) was terminated by signal 9: Killed"),
        ),
        (b"\tand its second line", (logging.DEBUG, "\tand its second line")),
        (b"cannot run /x: Permission denied", (logging.ERROR, "cannot run /x: Permission denied")),
        (b"postgres: could not find it", (logging.ERROR, "postgres: could not find it")),
    ],
)
def test_a_log_line_keeps_its_weight_but_what_a_client_was_told_is_no_news(
    line: bytes, expected: tuple[int, str]
) -> None:
    assert parse_line(line) == expected


@given(st.binary())
@settings(derandomize=True, deadline=None)
def test_any_line_can_be_read(line: bytes) -> None:
    level, text = parse_line(line)
    assert level in (logging.DEBUG, logging.WARNING, logging.ERROR, logging.CRITICAL)
    assert isinstance(text, str)
