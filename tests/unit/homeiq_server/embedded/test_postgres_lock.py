"""The locks on a PostgreSQL's data folder; a copy of ``sleep`` under its name plays its processes."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from homeiq_server.embedded import postgres_lock
from homeiq_server.embedded.pid_file import ProcessId
from homeiq_server.embedded.postgres_lock import unlock
from homeiq_server.errors import Misconfigured, RetryLater


@asynccontextmanager
async def running(folder: Path, name: str = "postgres") -> AsyncIterator[int]:
    """Give the pid of a process of that name on the folder."""
    sleep = shutil.which("sleep")
    assert sleep
    program = folder.parent / name
    shutil.copy(sleep, program)
    process = await asyncio.create_subprocess_exec(program, "600", cwd=folder)
    try:
        yield process.pid
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def locks(data: Path, pid: int | str) -> list[Path]:
    """Leave the locks of a server that had this pid; its socket is in the same folder."""
    names = ("postmaster.pid", ".s.PGSQL.5432", ".s.PGSQL.5432.lock")
    paths = [data / name for name in names]
    for path in paths:
        path.write_text(f"{pid}\n{data}\n1700000000\n")
    return paths


async def test_a_folder_without_locks_is_free(data: Path) -> None:
    await unlock(data, data)


@pytest.mark.parametrize("pid", [os.getpid(), 1, 2**22 + 1, "", "no pid"])
async def test_locks_of_a_dead_server_go_whoever_has_its_pid_now(data: Path, pid: int | str) -> None:
    left = locks(data, pid)
    await unlock(data, data)
    assert not any(path.exists() for path in left)


async def test_a_living_server_on_the_folder_keeps_its_locks_and_is_named(data: Path) -> None:
    async with running(data) as pid:
        left = locks(data, pid)
        with pytest.raises(Misconfigured, match=rf"another PostgreSQL \(process {pid}\) runs on {data}"):
            await unlock(data, data)
        assert all(path.exists() for path in left)
        assert ProcessId.of(pid)


async def test_a_postgres_elsewhere_and_a_shell_in_the_folder_are_no_holders(tmp_path: Path, data: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    async with running(elsewhere) as other, running(data, "shell") as shell:
        left = locks(data, other)
        await unlock(data, data)
        assert not any(path.exists() for path in left)
        assert ProcessId.of(other)
        assert ProcessId.of(shell)


async def test_a_backend_whose_server_died_is_ended_before_the_next_starts(
    data: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(postgres_lock, "_LEAVE_WITHIN_S", 0.2)
    async with running(data) as backend:
        left = locks(data, 2**22 + 1)
        await unlock(data, data)
        assert ProcessId.of(backend) is None
    assert not any(path.exists() for path in left)
    assert caplog.messages == [f"ending process {backend} of a PostgreSQL that died"]


async def test_a_backend_that_does_not_go_keeps_the_locks(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_lock, "_LEAVE_WITHIN_S", 0.05)
    async with running(data) as backend:
        os.kill(backend, signal.SIGSTOP)
        left = locks(data, 2**22 + 1)
        monkeypatch.setattr(ProcessId, "send", lambda *_: None)
        with pytest.raises(RetryLater, match="processes of a PostgreSQL that died still use"):
            await unlock(data, data)
        assert all(path.exists() for path in left)
