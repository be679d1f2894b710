"""Reads a damaged SQLite file page by page, where SQLite itself gives the whole table up for one of its pages.

Knows only what the format's documentation says (https://sqlite.org/fileformat2.html) and what the spool's settings
make certain: pages of 4,096 bytes without reserved space, UTF-8, and a pointer map (``auto_vacuum``), which tells each
page's parent and so the table of a page that its tree has lost.
"""

from .records import Unreadable, Value
from .trees import Carver

__all__ = ["Carver", "Unreadable", "Value"]
