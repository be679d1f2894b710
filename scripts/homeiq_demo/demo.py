"""Shows HomeIQ at work: a real Home Assistant forwards, the server writes, a real database stores.

Where there is a Mosquitto, a dozen devices send by MQTT too, a few bad ones among them.

A demo for a number of seconds ends with a proof: both laws hold, something was written, and the database, asked itself,
holds what Home Assistant says has happened.
"""

import argparse
import asyncio
import contextlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from .broker import Broker, open_broker
from .changes import Changes
from .configuration import ROOT
from .database import Connection, Database, open_database
from .folder import own_folder
from .home import Home, Ports, open_home
from .proof import prove
from .rest import PASSWORD, USER
from .run import run, watch
from .senders import sending
from .table import Table

HEADING = """
  Home Assistant  {web}   (user {user}, password {password})
  HomeIQ          {page}
  Its status      {api}/api/v1/status
  Queries         {api}/prometheus   (a Prometheus data source for Grafana: any user, the token as password)
  MQTT            {broker}
  Token           in {token}
  Logs            {folder}/*.log

  Ctrl-C stops all.
"""
NO_BROKER = "no device sends: there is no Mosquitto here, scripts/setup brings it where it can"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--seconds", type=float, help="run so long, then prove that nothing is missing; exit code 0 only then"
    )
    parser.add_argument(
        "--port", type=int, default=8123, help="of Home Assistant (%(default)s; any when that is taken)"
    )
    parser.add_argument(
        "--server-port", type=int, default=8098, help="of the server (%(default)s; any when that is taken)"
    )
    parser.add_argument("--page-port", type=int, default=8099, help="of its page (%(default)s; any when that is taken)")
    parser.add_argument("--folder", type=Path, default=ROOT / ".demo", help="where all its data is (.demo)")
    parser.add_argument(
        "--keep", action="store_true", help="go on with what is in the folder instead of starting afresh"
    )
    return parser.parse_args(arguments)


async def demo(arguments: argparse.Namespace) -> bool:
    """Run the demo until its time is up; return whether the proof at its end succeeded."""
    influx = {key: value for key, value in os.environ.items() if key.startswith("HOMEIQ_INFLUX_") and value}
    ports = Ports(arguments.port, arguments.server_port, arguments.page_port)
    with own_folder(arguments.folder.resolve(), keep=arguments.keep) as folder:
        print("Starting the server and Home Assistant ...", flush=True)
        async with open_broker(folder / "mosquitto", log=folder / "mosquitto.log") as broker:
            ingest = {"HOMEIQ_INGEST": "on", "HOMEIQ_MQTT_URL": broker.url} if broker else {}
            async with open_home(folder, ports=ports, options=influx | ingest) as home:
                try:
                    database = await open_database(home.server, _connection(influx))
                    return await _play(home, broker, database, arguments.seconds)
                finally:
                    print("Stopping ...", flush=True)


async def _play(home: Home, broker: Broker | None, database: Database, seconds: float | None) -> bool:
    """Show the home for so long, then prove that nothing is missing."""
    begin, changes = datetime.now(UTC), Changes(home.home_assistant)
    async with sending(home, broker) if broker else contextlib.nullcontext() as senders:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await _show(home, broker, changes)
    print("Time is up: no more changes; what is under way is written ...", flush=True)
    told = NO_BROKER if senders is None else await senders.summary()
    print(told, flush=True)
    return await prove(home, database, changes, begin)


def _connection(influx: dict[str, str]) -> Connection | None:
    """Return how to reach the database that the environment names, None for the embedded one."""
    names = {name: influx.get(f"HOMEIQ_INFLUX_{name.upper()}", "") for name in ("url", "token", "org", "bucket")}
    return Connection(**names) if names["url"] else None


async def _show(home: Home, broker: Broker | None, changes: Changes) -> None:
    """Make changes and show the live table until cancelled."""
    heading = HEADING.format(
        web=home.home_assistant.url,
        page=home.page,
        api=home.server.url,
        broker=f"{broker.url}   (simulated devices send to it; everybody may)" if broker else NO_BROKER,
        token=home.server.folder / "token",
        folder=home.folder,
        user=USER,
        password=PASSWORD,
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(Table(home.server, heading=heading).run(), name="table")
        tasks.create_task(changes.run(), name="changes")
        own = (home.server.process, home.home_assistant.process, *([broker.process] if broker else []))
        tasks.create_task(watch(*own), name="watch")


if __name__ == "__main__":
    given = parse()
    run(lambda: demo(given))
