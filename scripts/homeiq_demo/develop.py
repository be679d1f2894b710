"""Runs Home Assistant and the server on this folder's source; the server starts again when its source changes.

Home Assistant reads the integration at its start: after a change there, restart it from its own page (Developer tools).
"""

import argparse
import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from .configuration import ROOT
from .folder import own_folder
from .home import Home, Ports, open_home
from .process import DemoError
from .rest import PASSWORD, USER
from .run import run
from .server import Server

SOURCE = ROOT / "addon" / "homeiq_server"
LOOK_EVERY_S = 0.5


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/develop", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--port", type=int, default=8123, help="of Home Assistant (%(default)s; any when that is taken)"
    )
    parser.add_argument(
        "--server-port", type=int, default=8098, help="of the server (%(default)s; any when that is taken)"
    )
    parser.add_argument("--page-port", type=int, default=8099, help="of its page (%(default)s; any when that is taken)")
    parser.add_argument("--folder", type=Path, default=ROOT / ".develop", help="where all its data is (.develop)")
    parser.add_argument(
        "--fresh", action="store_true", help="start afresh instead of going on with what is in the folder"
    )
    return parser.parse_args(arguments)


async def develop(arguments: argparse.Namespace) -> bool:
    """Run both until interrupted."""
    options = {key: value for key, value in os.environ.items() if key.startswith("HOMEIQ_")} | {
        "HOMEIQ_LOG_LEVEL": "debug"
    }
    with own_folder(arguments.folder.resolve(), keep=not arguments.fresh) as folder:
        print("Starting the server and Home Assistant ...", flush=True)
        ports = Ports(arguments.port, arguments.server_port, arguments.page_port)
        async with open_home(folder, ports=ports, options=options, homeiq_level="debug") as home:
            print(f"Home Assistant  {home.home_assistant.url}   (user {USER}, password {PASSWORD})")
            print(f"Server          {home.server.url}   (token in {home.server.folder / 'token'})")
            print(f"Logs            {folder}/*.log   Ctrl-C stops all.", flush=True)
            await _restart_on_change(home)
    return True


async def _restart_on_change(home: Home) -> None:
    """Start the server again after each change of its source, also when it has ended by itself in between."""
    server, seen, told = home.server, newest_change(SOURCE), False
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        home.home_assistant.process.check()
        if (now := newest_change(SOURCE)) != seen:
            print("The server's source has changed: starting it again ...", flush=True)
            await server.process.stop()
            seen, told = now, await _fails_to_start(server)
        elif server.process.pid is None and not told:
            print(
                f"The server has ended; the next change of its source starts it.\n{server.process.tail()}", flush=True
            )
            told = True


async def _fails_to_start(server: Server) -> bool:
    """Start the server; return whether that failed, which is then told."""
    try:
        await server.start()
    except DemoError as err:
        print(f"{err}\nThe next change of its source starts it again.", flush=True)
        return True
    return False


def newest_change(folder: Path) -> tuple[int, float]:
    """Return how many source files there are and when the newest of them changed."""
    times = [path.stat().st_mtime for path in folder.rglob("*") if path.suffix in {".py", ".sql", ".html"}]
    return len(times), max(times)


if __name__ == "__main__":
    given = parse()
    run(lambda: develop(given))
