"""A whole home for a while: a server and a Home Assistant that forwards to it."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from .configuration import write_configuration
from .home_assistant import HomeAssistant
from .process import free_port
from .server import Server

DOMAIN = "homeiq"


class Ports(NamedTuple):
    """Where the two programs listen, on loopback."""

    home_assistant: int
    api: int
    page: int


ANY = Ports(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Home:
    """The two programs, the folder with their data and logs, and the address of the server's page."""

    folder: Path
    server: Server
    home_assistant: HomeAssistant
    page: str


@contextlib.asynccontextmanager
async def open_home(
    folder: Path,
    *,
    ports: Ports = ANY,
    options: Mapping[str, str] | None = None,
    **configuration: Any,  # noqa: ANN401  passed on
) -> AsyncIterator[Home]:
    """Start both and connect them; at the end stop Home Assistant first, so that its last events are taken.

    Args:
        folder: Where both keep their data and logs.
        ports: Preferred; instead of 0, or of one that is taken, any free one is used.
        options: Further ``HOMEIQ_*`` variables of the server.
        configuration: Passed on to ``write_configuration``.
    """
    ports = Ports(*map(free_port, ports))
    options = {"HOMEIQ_INGRESS_PORT": str(ports.page), **(options or {})}
    write_configuration(folder / "home-assistant", port=ports.home_assistant, **configuration)
    async with (
        Server(folder / "server", port=ports.api, log=folder / "server.log", options=options) as server,
        HomeAssistant(
            folder / "home-assistant", port=ports.home_assistant, log=folder / "home-assistant.log"
        ) as home_assistant,
    ):
        home = Home(folder, server, home_assistant, f"http://127.0.0.1:{ports.page}")
        await server.start()
        await home_assistant.start()
        await connect(home)
        yield home


async def connect(home: Home) -> None:
    """Set the integration up through its config flow, unless a kept home has it already for this server."""
    known = home.folder / "connected-to"
    entries = await home.home_assistant.entries(DOMAIN)
    if entries and known.exists() and known.read_text() == home.server.url:
        return
    for entry in entries:
        await home.home_assistant.remove_entry(entry["entry_id"])
    await home.home_assistant.add_integration(DOMAIN, {"url": home.server.url, "token": home.server.token})
    known.write_text(home.server.url)
