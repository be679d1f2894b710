"""How the embedded PostgreSQL is run: little memory, few processes, nothing lost that was committed.

Given on the command line, so that they are in force whatever stands in the data folder, and change with the app.
Sources: the manuals of PostgreSQL 17 and 18, chapter "Server Configuration".
"""

import logging
import re
from pathlib import Path
from typing import Final

_PORT: Final = 5432  # a part of the socket's name only
_LONGEST_PATH: Final = 106  # bytes; sun_path of unix(7) holds 108 with the ending 0

_SETTINGS: Final = {
    "listen_addresses": "",  # the unix socket alone
    "port": str(_PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "20",
    "superuser_reserved_connections": "3",  # for us: roles, dumps
    # Memory. Shared memory of System V, because the app's profile closes /dev/shm.
    "shared_buffers": "16MB",
    "work_mem": "4MB",
    "maintenance_work_mem": "16MB",
    "huge_pages": "off",
    "dynamic_shared_memory_type": "sysv",
    "jit": "off",
    # Processes.
    "max_worker_processes": "2",
    "max_parallel_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "max_logical_replication_workers": "0",
    "max_wal_senders": "0",
    "max_replication_slots": "0",
    "autovacuum_max_workers": "1",
    # The disk, which may be an SD card: few checkpoints, a small log, and each commit on disk.
    "wal_level": "minimal",
    "min_wal_size": "4MB",
    "max_wal_size": "64MB",
    "checkpoint_timeout": "15min",
    "synchronous_commit": "on",
    # The log goes through parse_line; statements stay out of it, because they hold what was sent.
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_line_prefix": "%b|",
    "log_checkpoints": "off",
    "log_min_error_statement": "panic",
    "lc_messages": "C",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
_SINCE_18: Final = {"io_method": "sync", "autovacuum_worker_slots": "1"}
_NEW_IN_18: Final = 18

_LINE: Final = re.compile(rb"(?:([\w -]+)\|)?([A-Z]+): +(.*)", re.DOTALL)
_LEVELS: Final = {
    b"WARNING": logging.WARNING,
    b"ERROR": logging.ERROR,
    b"FATAL": logging.ERROR,
    b"PANIC": logging.CRITICAL,
}
_TO_A_CLIENT: Final = (b"backend", b"not initialized")
_A_PROCESS_CRASHED: Final = b"was terminated by signal"
_PLAIN_ERRORS: Final = (b"cannot ", b"postgres: ", b'"root" execution')  # of the leash, and before there are settings


def settings(major: int) -> dict[str, str]:
    """Return the settings for this major version."""
    return _SETTINGS | _SINCE_18 if major >= _NEW_IN_18 else dict(_SETTINGS)


def arguments(major: int, *, data: Path, sockets: Path) -> tuple[str, ...]:
    """Return the arguments of ``postgres`` on this data folder, with its socket in that folder."""
    # The server splits the list of socket folders at commas outside of double quotes.
    quoted = '"' + str(sockets).replace('"', '""') + '"'
    chosen = settings(major) | {"unix_socket_directories": quoted}
    return ("-D", str(data), *(part for name, value in chosen.items() for part in ("-c", f"{name}={value}")))


def socket_in(folder: Path) -> Path:
    """Return the path that clients make of the folder."""
    return folder / f".s.PGSQL.{_PORT}"


def fits(folder: Path) -> bool:
    """Tell whether a socket can have its path in there, and clients can be told of it: they split hosts at commas."""
    return len(bytes(socket_in(folder))) <= _LONGEST_PATH and "," not in str(folder)


def parse_line(line: bytes) -> tuple[int, str]:
    """Return the level and the text of a line of its log.

    What it refused to a client is for debugging: it holds what was sent, and the client was answered the same.
    """
    if (match := _LINE.fullmatch(line)) is None:
        return (logging.ERROR if line.startswith(_PLAIN_ERRORS) else logging.DEBUG), line.decode(errors="replace")
    who, word, text = match[1] or b"", match[2], match[3]
    level = _LEVELS.get(word, logging.DEBUG)
    if _A_PROCESS_CRASHED in text:
        level = max(level, logging.WARNING)
    elif level < logging.CRITICAL and who.endswith(_TO_A_CLIENT):
        level = logging.DEBUG
    return level, text.decode(errors="replace")
