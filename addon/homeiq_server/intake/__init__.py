"""The way of a batch into the queue: converted to lines, stored, and only then acknowledged."""

from .channel import Answer
from .events import EventIntake, Schema
from .labels import KnownLabels
from .lines import LineIntake
from .off import HistoryOff
from .statistics import StatisticsIntake

__all__ = ["Answer", "EventIntake", "HistoryOff", "KnownLabels", "LineIntake", "Schema", "StatisticsIntake"]
