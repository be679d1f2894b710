"""The engines, one for each Home Assistant, within one bound on what they remember together."""

from collections.abc import Iterator
from typing import Final

from homeiq_server.insights.engine import Engine
from homeiq_server.insights.finding import Facts
from homeiq_server.insights.home import Home
from homeiq_server.registry import Removed, Rows

MAX_SOURCES: Final = 8
MAX_TRACKED: Final = 50_000


class Source:
    """One Home Assistant: its home, and what is observed there.

    Attributes:
        stream: The run of its forwarder that was heard of last; None until then.
        heard: Whether anything came since the start: before that, nothing can be said.
    """

    def __init__(self, name: str, home: Home) -> None:
        self.name: Final = name
        self.engine: Final = Engine(name, limit=MAX_TRACKED)
        self.stream: str | None = None
        self.heard = False
        self._home = home
        self.engine.place(home)

    def change(self, rows: Rows, removed: Removed | None) -> None:
        """Take in a diff of the registries, or all of them (``removed`` is None)."""
        self._home = Home.of(rows) if removed is None else self._home.changed(rows, removed)
        self.engine.place(self._home)

    def listen(self, stream: str, at_us: int) -> None:
        """Note that something came in; another stream means that Home Assistant was away."""
        self.heard = True
        if stream != self.stream:
            self.stream = stream
            self.engine.begin(stream, at_us)


class Sources:
    """All of them, by their uuids."""

    def __init__(self) -> None:
        self._known: dict[str, Source] = {}

    def __iter__(self) -> Iterator[Source]:
        return iter(tuple(self._known.values()))

    def __len__(self) -> int:
        return len(self._known)

    def get(self, name: str) -> Source | None:
        """Return a source whose registries are known."""
        return self._known.get(name)

    def place(self, name: str, rows: Rows, removed: Removed | None) -> None:
        """Take in what the registries of a source say; of too many sources, the latest are left out."""
        if source := self._known.get(name):
            source.change(rows, removed)
        elif removed is None and len(self._known) < MAX_SOURCES:
            self._known[name] = Source(name, Home.of(rows))

    def keep_bounded(self) -> None:
        """Let the source that remembers most forget what is over the bound."""
        excess = sum(source.engine.tracked for source in self._known.values()) - MAX_TRACKED
        if excess > 0:
            max(self._known.values(), key=lambda source: source.engine.tracked).engine.forget(excess)

    def facts(self, device_id: str) -> Facts | None:
        """Return what was measured of a device last, None when nothing was since the start."""
        found = (source.engine.facts(device_id) for source in self._known.values())
        return next((facts for facts in found if facts is not None), None)
