"""Points: what a database keeps of an event, as line protocol. No I/O."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from homeiq_server.model import Event, Labels

from .conversion import Conversion
from .core import CoreLayout
from .events import EventsLayout
from .influx import InfluxForm
from .layout import Layout
from .settings import ComponentNaming, Naming, PointSettings
from .victoria import VictoriaForm

__all__ = ["ComponentNaming", "Conversion", "Naming", "PointSettings", "Schema", "build_schema"]


class Schema(Protocol):
    """Turns events into lines."""

    def convert(self, events: Sequence[Event], labels: Mapping[str, Labels]) -> Conversion:
        """Convert a batch, in its order. ``labels`` are those of the batch's source, by entity id.

        Never raises for what an event holds: one that cannot be understood is rejected alone, with the reason.
        """
        ...


def build_schema(settings: PointSettings, *, text_as_tag: bool) -> Schema:
    """Return the schema of the settings, for a database of numbers only (``text_as_tag``) or for InfluxDB."""
    layout: Layout = CoreLayout(settings) if settings.schema == "core" else EventsLayout(settings)
    return VictoriaForm(layout) if text_as_tag else InfluxForm(layout)
