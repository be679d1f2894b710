"""The C library's way with memory: what is freed goes back to the system at once."""

import ctypes
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_SIZE: Final = 1024 * 1024


def give_back_freed() -> None:
    """Tell glibc so; others are left alone. Before there is a second thread.

    Left to itself glibc raises both thresholds after the first large body, so that the next ones come from a heap that
    they tear to pieces, and gives each thread such a heap. Bodies and batches go from thread to thread here, and
    Python's own allocator serves what is small. It takes 10 to 30 MB off the peak.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except OSError, AttributeError:
        return
    mallopt(_M_ARENA_MAX, 1)
    mallopt(_M_MMAP_THRESHOLD, _SIZE)
    mallopt(_M_TRIM_THRESHOLD, _SIZE)
