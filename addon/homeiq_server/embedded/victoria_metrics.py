"""The database that the app brings along for those who have none: VictoriaMetrics on loopback, with fixed flags.

The flags exist in 1.112 (Debian 13, the app's image) and 1.145 alike. At rest it takes 23 MB of memory, of which 8 MB
are its own and the rest is its program. It sends nothing to anybody: pushing metrics and scraping are off by default.

What was written shows in queries 2 to 4 s later; a series that is new, and was asked for before it showed, up to 11 s
later, because it remembers what it did not find.
"""

import json
import logging
import shutil
import socket
from datetime import timedelta
from pathlib import Path
from typing import Final

import aiohttp

from homeiq_server.errors import InvalidOptions

from .child import Child, Program
from .supervised import Supervised

FUTURE: Final = timedelta(days=2)
"""The database answers 204 to points further ahead than this and forgets them; 1.112 has no flag for it."""

FLAGS: Final = (
    "-dedup.minScrapeInterval=1ms",  # a point that is sent again replaces itself
    "-http.maxGracefulShutdownDuration=2s",  # the app has 10 s to stop in
    "-inmemoryDataFlushInterval=1s",  # what a kill -9 may cost, and thereby how long the writer lets lines settle
    "-loggerFormat=json",  # parse_line reads it
    "-maxLabelValueLen=4096",  # a series with a longer one is forgotten silently, so more than any tag we send
    "-maxLabelsPerTimeseries=100",  # the same
    "-memory.allowedBytes=64MB",  # of caches
    "-search.latencyOffset=1s",  # instead of 30 s, for which queries leave the newest out
    "-storage.minFreeDiskSpaceBytes=256MB",  # refuses writes below it; the spool, which keeps them, needs the rest
)
_HEALTH_TIMEOUT_S: Final = 2
_DAYS: Final = {"d": 1, "w": 7, "y": 365}
_LEVELS: Final = {
    "info": logging.DEBUG,  # it tells much at every start
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
    "panic": logging.CRITICAL,
}
_TO_A_CLIENT: Final = "remoteAddr:"
_PLAIN_ERRORS: Final = ("cannot ", "fatal error:", "flag ", "panic:")  # of the leash, of Go, of its flags


class VictoriaMetrics(Supervised):
    """The embedded database; ``run`` keeps it running.

    Attributes:
        url: Where it listens, on loopback alone; the same for as long as the server runs.
        retention: How far back it keeps points. Older ones, and those beyond ``FUTURE``, it forgets silently.
    """

    def __init__(self, *, data_dir: Path, retention: str = "10y", program: Path | None = None) -> None:
        """Find the program, and choose a free port.

        Args:
            data_dir: Its own folder in there is ``victoria-metrics``.
            retention: A whole number with d, w or y.
            program: None: the one on the PATH.

        Raises:
            InvalidOptions: There is no such program.
        """
        folder = data_dir / "victoria-metrics"
        self._listen = f"127.0.0.1:{_free_port()}"
        self.url = f"http://{self._listen}"
        self.retention = timedelta(days=int(retention[:-1]) * _DAYS[retention[-1]])
        places = (
            f"-httpListenAddr={self._listen}",
            f"-storageDataPath={folder}",
            f"-retentionPeriod={retention}",
        )
        super().__init__(
            Child(
                Program(
                    name="VictoriaMetrics",
                    command=(str(_locate(program)), *places, *FLAGS),
                    folder=folder,
                    ready=self._healthy,
                    parse=parse_line,
                )
            )
        )

    async def _healthy(self) -> bool:
        timeout = aiohttp.ClientTimeout(total=_HEALTH_TIMEOUT_S)
        try:
            async with aiohttp.request("GET", f"{self.url}/health", timeout=timeout) as answer:
                return answer.status == 200  # noqa: PLR2004 - the status OK
        except aiohttp.ClientError, TimeoutError:
            return False


def parse_line(line: bytes) -> tuple[int, str]:
    """Return the level and the text of a line of its log.

    What it refused to whom is for debugging: it holds what was sent, and the sender was answered the same.
    """
    try:
        entry = json.loads(line)
        text = str(entry["msg"])
        return logging.DEBUG if text.startswith(_TO_A_CLIENT) else _LEVELS[entry["level"]], text
    except ValueError, TypeError, KeyError:
        text = line.decode(errors="replace")
        return logging.ERROR if text.startswith(_PLAIN_ERRORS) else logging.DEBUG, text


def _locate(program: Path | None) -> Path:
    """Return the program's absolute path; Debian and the makers name it differently."""
    names = (str(program),) if program else ("victoria-metrics", "victoria-metrics-prod")
    for name in names:
        if found := shutil.which(name):
            return Path(found).absolute()
    remedy = (
        "Install the Debian package victoria-metrics, name the program in the option victoria_metrics,"
        " or name another database in influx_url"
    )
    where = (
        f"the option victoria_metrics names {program}, which is not a program" if program else "it is not on the PATH"
    )
    raise InvalidOptions(f"The embedded database VictoriaMetrics cannot be started: {where}. {remedy}.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
