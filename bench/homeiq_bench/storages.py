"""Databases that fail in the ways of a home's: they refuse, are slow, are away, are killed."""

import contextlib
import json
import random
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

import psutil

from homeiq_bench.database import PROGRAM
from homeiq_bench.faulty_influx import FaultyInflux
from homeiq_bench.influxd import DATABASE, Influxd
from homeiq_bench.numbered import METRIC, Numbering, Taken
from homeiq_bench.server import Server, new_token

_KILLED_IN_A_ROUND: Final = 0.2
_AWAY_FOR_A_ROUND: Final = 0.1


class FailingInflux:
    """An InfluxDB 2 of which each line that it took, and took again, can be counted: nothing has to settle."""

    def __init__(self, folder: Path) -> None:
        self._influx = FaultyInflux(folder)
        self._is_up = True
        self._taken = Taken()
        self.options: Mapping[str, str] = {
            "influx_url": self._influx.url,
            "influx_token": new_token(),
            "influx_org": "bench",
            "influx_bucket": "bench",
        }

    def __enter__(self) -> Self:
        self._influx.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._influx.kill()

    def before(self, chance: random.Random) -> None:
        """Be away, or there in one of its moods."""
        self._is_up = chance.random() >= _AWAY_FOR_A_ROUND
        if self._is_up:
            self._influx.start()
            self._influx.be(chance.choices(("well", "refusing", "slow"), (6, 2, 1))[0])
        else:
            self._influx.kill()

    def strike(self, chance: random.Random, server: Server) -> None:  # noqa: ARG002  # a Storage
        """Be killed in the middle of whatever it does, and come back; or begin to refuse."""
        if not self._is_up:
            return
        if chance.random() < _KILLED_IN_A_ROUND:
            self._influx.kill()
            self._influx.start()
        self._influx.be(chance.choices(("well", "refusing"), (4, 1))[0])

    def recover(self) -> None:
        """Be well from now on."""
        self._influx.start()
        self._influx.be("well")

    def taken(self, server: Server, numbering: Numbering) -> Taken:  # noqa: ARG002  # a Storage
        """Return what its log holds."""
        for body in self._influx.taken():
            for sender, number in numbering.read(body):
                self._taken.add(sender, number)
        return self._taken


class EmbeddedVictoriaMetrics:
    """The server's own VictoriaMetrics: it dies with the server, and is killed alone as well."""

    options: Mapping[str, str] = {"victoria_metrics": str(PROGRAM)}

    def before(self, chance: random.Random) -> None:
        """Do nothing: the server starts it."""

    def strike(self, chance: random.Random, server: Server) -> None:
        """Be killed, in some rounds."""
        if chance.random() < _KILLED_IN_A_ROUND:
            for child in psutil.Process(server.pid).children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()

    def recover(self) -> None:
        """Do nothing: the server starts it."""

    def taken(self, server: Server, numbering: Numbering) -> Taken:
        """Return what its export shows: a sample that it shows twice counts twice."""
        taken = Taken()
        for series in _exported(server.status()["database"]["url"]):
            sender = int(series["metric"]["entity_id"].removeprefix("numbered_"))
            for value, time_ms in zip(series["values"], series["timestamps"], strict=True):
                if numbering.time_us(round(value)) != time_ms * 1_000:
                    raise RuntimeError(f"a sample that was never sent: {value} of sender {sender} at {time_ms} ms")
                taken.add(sender, round(value))
        return taken


class RealInfluxDB:
    """An InfluxDB 1 that is killed as well: what it has acknowledged is on disk, so nothing has to settle."""

    def __init__(self, folder: Path) -> None:
        self._influxd = Influxd(folder)
        self.options: Mapping[str, str] = {"influx_url": self._influxd.url, "influx_bucket": DATABASE}

    def __enter__(self) -> Self:
        self._influxd.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._influxd.kill()

    def before(self, chance: random.Random) -> None:
        """Be away for a round, or there."""
        if chance.random() < _AWAY_FOR_A_ROUND:
            self._influxd.kill()
        else:
            self._influxd.start()

    def strike(self, chance: random.Random, server: Server) -> None:  # noqa: ARG002  # a Storage
        """Be killed in the middle of whatever it does, and come back, in some rounds."""
        if chance.random() < _KILLED_IN_A_ROUND:
            self._influxd.kill()
            self._influxd.start()

    def recover(self) -> None:
        """Be there from now on."""
        self._influxd.start()

    def taken(self, server: Server, numbering: Numbering) -> Taken:  # noqa: ARG002  # a Storage
        """Return what it shows: a point that it shows twice counts twice."""
        taken = Taken()
        for series in self._influxd.series("SELECT value FROM numbered GROUP BY entity_id"):
            sender = int(series["tags"]["entity_id"].removeprefix("numbered_"))
            for time_us, value in series["values"]:
                if numbering.time_us(round(value)) != time_us:
                    raise RuntimeError(f"a point that was never sent: {value} of sender {sender} at {time_us} us")
                taken.add(sender, round(value))
        return taken


def _exported(url: str) -> Iterator[dict[str, Any]]:
    query = urllib.parse.urlencode({"match[]": METRIC})
    with urllib.request.urlopen(f"{url}/api/v1/export?{query}", timeout=120) as answer:  # noqa: S310  # ours
        for line in answer:
            yield json.loads(line)
