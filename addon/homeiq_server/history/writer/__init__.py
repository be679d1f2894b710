"""From the queue to the database: ``writer.py``, and the parts that it is made of."""

from .report import WriterReport
from .writer import Writer

__all__ = ["Writer", "WriterReport"]
