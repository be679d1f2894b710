"""Who holds a data folder."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from homeiq_server.embedded.pid_file import PidFile, ProcessId
from homeiq_server.errors import Misconfigured

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"


@pytest.fixture
async def deaf() -> AsyncIterator[int]:
    """Give the pid of a process that ignores SIGTERM."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "-c", DEAF, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    await process.stdout.readline()
    yield process.pid
    if process.returncode is None:
        process.kill()
    await process.wait()


def left_behind(path: Path, holder: int, *, server: ProcessId | None = None) -> PidFile:
    """Give the file of a server that has ended, or of ``server``."""
    ended = server or ProcessId(os.getpid(), 1)  # its pid is another process's now: ours
    held_by = ProcessId.of(holder)
    path.write_bytes(msgspec.json.encode({"holder": held_by, "server": ended}))
    return PidFile(path)


async def test_what_a_killed_server_left_behind_is_ended_by_force_if_need_be(
    tmp_path: Path, deaf: int, caplog: pytest.LogCaptureFixture
) -> None:
    await left_behind(tmp_path / "victoria-metrics.pid", deaf).evict(signal.SIGTERM, grace_s=0.1)
    assert ProcessId.of(deaf) is None
    assert caplog.messages == [f"Ending victoria-metrics (process {deaf}), left behind by an earlier run"]


async def test_a_folder_that_another_living_server_uses_is_refused(tmp_path: Path, deaf: int) -> None:
    other = ProcessId.of(os.getppid())
    file = left_behind(tmp_path / "victoria-metrics.pid", deaf, server=other)
    with pytest.raises(Misconfigured, match=rf"another homeiq-server \(process {os.getppid()}\).*data_dir"):
        await file.evict(signal.SIGTERM, grace_s=0.1)
    assert ProcessId.of(deaf)


async def test_a_pid_that_another_process_has_now_is_left_alone(tmp_path: Path, deaf: int) -> None:
    path = tmp_path / "victoria-metrics.pid"
    gone = ProcessId(deaf, 1)
    path.write_bytes(msgspec.json.encode({"holder": gone, "server": ProcessId(1, 1)}))
    await PidFile(path).evict(signal.SIGKILL, grace_s=0.1)
    gone.send(signal.SIGKILL)
    assert ProcessId.of(deaf)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"holder": 1}', b"\xff\xfe"])
async def test_a_damaged_file_is_left_out_of_account(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "victoria-metrics.pid"
    path.write_bytes(content)
    await PidFile(path).evict(signal.SIGTERM, grace_s=0.1)
    assert "is damaged" in caplog.text


def test_what_is_written_is_this_server_and_is_cleared(tmp_path: Path, deaf: int) -> None:
    file = PidFile(tmp_path / "victoria-metrics.pid")
    file.write(deaf)
    assert msgspec.json.decode(file.path.read_bytes())["server"]["pid"] == os.getpid()
    file.clear()
    file.clear()
    assert not file.path.exists()


def test_a_folder_that_cannot_be_written_is_a_warning(
    tmp_path: Path, deaf: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    PidFile(tmp_path / "missing" / "x.pid").write(deaf)
    assert "cannot be written: No such file" in caplog.text


def test_an_ended_process_has_no_identity() -> None:
    pid = os.posix_spawn(sys.executable, [sys.executable, "-I", "-S", "-c", ""], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # a zombie from now on
    assert ProcessId.of(pid) is None
    os.waitpid(pid, 0)
    assert ProcessId.of(pid) is None
