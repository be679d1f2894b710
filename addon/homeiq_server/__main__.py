"""The command ``homeiq-server``."""

import argparse
import asyncio
import faulthandler
import logging
import os
import signal
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import uvloop

from homeiq_server import VERSION, app
from homeiq_server.discovery import Supervisor
from homeiq_server.errors import InvalidOptions, Misconfigured
from homeiq_server.log import start_logging
from homeiq_server.malloc import give_back_freed
from homeiq_server.options import Options
from homeiq_server.options.sources import load, table
from homeiq_server.privileges import become

_LOGGER = logging.getLogger(__name__)

_LAST_RESORT_S: Final = 9.5
_FAULT: Final = 1
_SET_UP_WRONGLY: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until it is told to stop.

    Returns:
        The exit code: 0 after an ordered stop, 1 after a fault of our own, 2 when it cannot start as it is set up.
    """
    config = _parser().parse_args(arguments).config
    code = 0
    give_back_freed()
    try:
        options = load(os.environ, config=config)
        if user := os.environ.get("HOMEIQ_USER"):
            become(user, options.data_dir)
        start_logging(options.log_level)
        asyncio.run(_run(options), loop_factory=uvloop.new_event_loop)
    except* (InvalidOptions, Misconfigured) as group:
        code = _SET_UP_WRONGLY
        for line in _lines(group):
            print(f"homeiq-server: {line}", file=sys.stderr)  # noqa: T201  # for the person who started it
    except* Exception:
        code = _FAULT
        _LOGGER.exception("a part failed, the others were stopped in order; please report this")
    return code


async def _run(options: Options) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, _ask_to_stop, stop)
    await app.run(options, stop, supervisor=Supervisor.of(os.environ))


def _ask_to_stop(stop: asyncio.Event) -> None:
    """Begin the stop. Should it hang in spite of every limit in it, end with all stacks on the standard error."""
    if not stop.is_set():
        _LOGGER.info("stopping")
        faulthandler.dump_traceback_later(_LAST_RESORT_S, exit=True)
        stop.set()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="homeiq-server",
        description="Keeps every state change that Home Assistant sends, and writes it to a time-series database.",
        epilog="\n".join(_help()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"homeiq-server {VERSION}")
    parser.add_argument("--config", metavar="PATH", type=Path, help="a TOML file with options, see below")
    return parser


def _help() -> Iterator[str]:
    """Yield the lines that describe all options."""
    yield "Options, from the TOML file, /data/options.json or the environment as HOMEIQ_<NAME>, the last one wins:"
    for name, shape, default, meaning in table():
        yield f"\n  {name}"
        yield from textwrap.wrap(
            f"{meaning} A value is {shape}. Default: {default}.", 100, initial_indent=" " * 6, subsequent_indent=" " * 6
        )


def _lines(group: BaseExceptionGroup[Exception]) -> Iterator[str]:
    for err in group.exceptions:
        if isinstance(err, BaseExceptionGroup):
            yield from _lines(err)
        else:
            yield from str(err).splitlines()


if __name__ == "__main__":
    sys.exit(main())
