"""The supervisor of one child process; the children are small Python programs."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from homeiq_server.embedded.account import unprivileged
from homeiq_server.embedded.child import Child, Program, State
from homeiq_server.embedded.pid_file import ProcessId
from homeiq_server.errors import Misconfigured

SLEEP = "import time; time.sleep(600)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True);" + SLEEP
FORKS = "import os, time; pid = os.fork(); print(f'parent {pid}' if pid else 'child', flush=True); time.sleep(600)"


def parse(line: bytes) -> tuple[int, str]:
    text = line.decode(errors="replace")
    return (logging.ERROR if "error" in text else logging.INFO), text


def shown(pid: int, file: str) -> bytes:
    return Path(f"/proc/{pid}/{file}").read_bytes()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def program(folder: Path, code: str, ready: Callable[[], Awaitable[bool]], **changed: object) -> Program:
    usual: dict[str, object] = {"pause_s": 0.01, "longest_pause_s": 0.02, "ready_within_s": 30, "grace_s": 10}
    usual["command"] = (sys.executable, "-I", "-S", "-c", code)
    return Program(
        name="Sleeper",
        folder=folder / "sleeper",
        ready=ready,
        parse=parse,
        **usual | changed,  # type: ignore[arg-type]  # a test names the field that it changes
    )


async def at_once() -> bool:
    return True


async def never() -> bool:
    return False


@asynccontextmanager
async def supervised(child: Child) -> AsyncIterator[Child]:
    task = asyncio.create_task(child.run(), name="child")
    try:
        yield child
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and (err := task.exception()):
            raise err


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - a condition on another process has no event
            await asyncio.sleep(0.01)


async def running_as_itself(child: Child) -> int:
    """Return the pid once the leash has become the program."""
    await child.ready()
    pid = child.pid
    assert pid
    await until(lambda: b"leash.py" not in shown(pid, "cmdline"))
    return pid


async def test_a_child_runs_until_its_supervisor_is_cancelled(tmp_path: Path) -> None:
    child = Child(program(tmp_path, SLEEP, at_once))

    async with supervised(child):
        pid = await running_as_itself(child)
        assert (child.state, child.generation, child.error) == (State.RUNNING, 1, None)
        assert (tmp_path / "sleeper.pid").exists()

    assert ProcessId.of(pid) is None
    assert (child.state, child.pid) == (State.STOPPED, None)
    assert not (tmp_path / "sleeper.pid").exists()


async def test_a_killed_child_is_started_again_as_a_new_generation(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with supervised(Child(program(tmp_path, SLEEP, at_once))) as child:
        first = await running_as_itself(child)
        os.kill(first, signal.SIGKILL)
        await until(lambda: child.generation == 2)
        await child.ready()
        assert child.pid != first
        assert child.error is None

    said = [record.getMessage() for record in caplog.records if record.name.endswith("embedded.child")]
    assert said[1] == "Sleeper was ended by signal 9 (Killed); starting it again in 0.01 s"
    assert said[2].startswith("Sleeper runs again after 0 s")


async def test_a_child_that_ends_at_once_is_named_with_its_last_words_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    code = "print('all is well'); print('error: the disk is gone', flush=True); raise SystemExit(3)"
    async with supervised(Child(program(tmp_path, code, never))) as child:
        await until(lambda: child.generation >= 4)
        assert child.error == "Sleeper ended with exit code 3: error: the disk is gone"

    warnings = [record for record in caplog.records if record.name.endswith("embedded.child")]
    assert len(warnings) == 1


async def test_a_program_that_cannot_be_executed_is_an_error_of_the_child_only(tmp_path: Path) -> None:
    wrong = tmp_path / "not-a-program"
    wrong.write_bytes(b"")
    wrong.chmod(0o755)
    usual = program(tmp_path, "", never)
    child = Child(Program(name="Wrong", command=(str(wrong),), folder=tmp_path / "x", ready=never, parse=usual.parse))
    async with supervised(child):
        await until(lambda: child.state is State.WAITING)
        assert child.error is not None
        assert child.error.startswith("Wrong ended with exit code 1")


async def test_a_folder_that_cannot_be_made_is_an_error_of_the_child_only(tmp_path: Path) -> None:
    (tmp_path / "sleeper").write_text("a file stands in the way")
    async with supervised(Child(program(tmp_path, SLEEP, at_once))) as child:
        await until(lambda: child.state is State.WAITING)
        assert child.error is not None
        assert "exists" in child.error


async def test_a_child_that_does_not_become_ready_in_time_is_started_again(tmp_path: Path) -> None:
    async with supervised(Child(program(tmp_path, SLEEP, never, ready_within_s=0.05))) as child:
        await until(lambda: child.generation >= 2)
        assert child.error == "Sleeper was not ready within 0.05 s"


async def test_a_child_that_ignores_the_stop_signal_is_killed_after_the_grace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with supervised(Child(program(tmp_path, STUBBORN, at_once, grace_s=0.05))) as child:
        pid = await running_as_itself(child)
        await until(lambda: "deaf" in caplog.text)
    assert ProcessId.of(pid) is None
    assert "Sleeper did not stop within 0.05 s: killed" in caplog.text


async def test_a_second_cancellation_ends_a_slow_stop_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    child = Child(program(tmp_path, STUBBORN, at_once, grace_s=3600))
    task = asyncio.create_task(child.run(), name="child")
    pid = await running_as_itself(child)
    await until(lambda: "deaf" in caplog.text)
    task.cancel()
    await asyncio.wait([task], timeout=0.01)
    task.cancel()
    await asyncio.wait([task], timeout=30)
    assert task.cancelled()
    assert ProcessId.of(pid) is None


async def test_what_a_child_started_ends_with_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with supervised(Child(program(tmp_path, FORKS, at_once))):
        await until(lambda: "parent" in caplog.text and "child" in caplog.messages)
        grandchild = int(next(line for line in caplog.messages if line.startswith("parent")).split()[1])
        assert ProcessId.of(grandchild)
    await until(lambda: ProcessId.of(grandchild) is None)


async def test_a_start_that_cannot_be_prepared_is_put_off_and_tried_again(tmp_path: Path) -> None:
    prepared = 0

    async def prepare() -> None:
        nonlocal prepared
        prepared += 1
        if prepared < 3:
            raise Misconfigured(f"no, {prepared}")

    child = Child(program(tmp_path, SLEEP, at_once, prepare=prepare))
    errors = set()

    def has_started() -> bool:
        errors.add(child.error)
        return child.state is State.RUNNING

    async with supervised(child):
        await until(has_started)
        assert (child.generation, child.error, prepared) == (1, None, 3)
    assert errors <= {None, "no, 1", "no, 2"}


async def test_a_child_that_cannot_be_made_ready_is_ended_and_tried_again(tmp_path: Path) -> None:
    asked: list[int | None] = []

    async def ready() -> bool:
        asked.append(child.pid)
        if len(asked) < 3:
            raise Misconfigured(f"no, {len(asked)}")
        return True

    child = Child(program(tmp_path, SLEEP, ready))
    async with supervised(child):
        await until(lambda: child.state is State.RUNNING)
        assert child.generation == 3
        first, second, third = asked
        assert first
        assert second
        assert ProcessId.of(first) is ProcessId.of(second) is None
        assert child.pid == third


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_root_s_child_runs_as_its_account_with_no_group_of_root(tmp_path: Path) -> None:
    account = unprivileged()
    assert account
    async with supervised(
        Child(program(tmp_path, "", at_once, account=account, command=("/bin/sleep", "600")))
    ) as child:
        pid = await running_as_itself(child)
        status = dict(line.split(b":\t", 1) for line in shown(pid, "status").splitlines())
        assert status[b"Uid"].split() == [str(account.uid).encode()] * 4
        assert status[b"Gid"].split() == [str(account.gid).encode()] * 4
        assert status[b"Groups"].split() == []
    assert ProcessId.of(pid) is None


async def test_a_child_sees_nothing_secret_in_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERVISOR_TOKEN", "hush")
    async with supervised(Child(program(tmp_path, SLEEP, at_once))) as child:
        pid = await running_as_itself(child)
        assert b"hush" not in shown(pid, "environ")


async def test_nothing_is_left_behind_by_many_lives(tmp_path: Path) -> None:
    tasks = asyncio.all_tasks()
    files = open_files()
    for _ in range(5):
        async with supervised(Child(program(tmp_path, SLEEP, at_once))) as child:
            await child.ready()
    assert asyncio.all_tasks() == tasks
    assert open_files() <= files + 2  # asyncio's own, for its watch over children
