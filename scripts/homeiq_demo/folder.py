"""The folder that a demo lives in: one demo at a time, fresh at every start unless it is to be kept."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from .process import DemoError


@contextlib.contextmanager
def own_folder(folder: Path, *, keep: bool) -> Iterator[Path]:
    """Hold the folder for as long as the context lasts; empty it first unless it is to be kept.

    Raises:
        DemoError: Another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not keep:
            _empty(folder)
        yield folder
    except BlockingIOError as err:
        raise DemoError(
            f"Another one runs in {folder}: stop it first, or give this one a folder of its own with --folder."
        ) from err
    finally:
        os.close(descriptor)


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
