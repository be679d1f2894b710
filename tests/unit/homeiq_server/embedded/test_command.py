"""Programs that are run to their end."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from homeiq_server.embedded import command
from homeiq_server.embedded.account import unprivileged
from homeiq_server.embedded.pid_file import ProcessId
from homeiq_server.errors import RetryLater

PYTHON = (sys.executable, "-I", "-S", "-c")


async def test_a_program_reads_and_writes_the_files_that_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("as given")
    with (tmp_path / "in").open("rb") as source, (tmp_path / "out").open("wb") as target:
        await command.run(*PYTHON, "print(input())", stdin=source, stdout=target)
    assert (tmp_path / "out").read_text() == "as given\n"


async def test_a_failure_has_the_program_s_last_words() -> None:
    with pytest.raises(RetryLater, match=r"ended with exit code 1: error: there is no room$"):
        await command.run(*PYTHON, "raise SystemExit('error: there is no room')")


async def test_a_silent_failure_is_one_too() -> None:
    with pytest.raises(RetryLater, match=r"ended with exit code 3: it did not say why"):
        await command.run(*PYTHON, "raise SystemExit(3)")


async def test_a_missing_program_is_a_failure() -> None:
    with pytest.raises(RetryLater, match="cannot run /nowhere/pg_dump: No such file"):
        await command.run("/nowhere/pg_dump")


async def test_cancelled_it_leaves_no_process_behind() -> None:
    told, telling = os.pipe()
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    task = asyncio.create_task(command.run(*PYTHON, code, stdout=telling))
    pid = int(await asyncio.to_thread(os.read, told, 20))
    task.cancel()
    await asyncio.wait((task,))
    assert task.cancelled()
    assert ProcessId.of(pid) is None
    os.close(told)
    os.close(telling)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_root_runs_it_as_the_account_with_no_group_of_root(tmp_path: Path) -> None:
    account = unprivileged()
    assert account
    with (tmp_path / "out").open("wb") as target:
        await command.run("/usr/bin/id", "-u", account=account, stdout=target)
        await command.run("/usr/bin/id", "-G", account=account, stdout=target)
    assert (tmp_path / "out").read_text().split() == [str(account.uid), str(account.gid)]
