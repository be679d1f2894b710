"""Stands in for a library of Home Assistant's voice assistant that has no wheel for Python 3.14.

Without it Home Assistant's page does not load: it imports the voice assistant to describe its actions.
"""


class MicroVad:
    """Detects speech; here it cannot be created, because nobody speaks to the demo."""

    def __init__(self) -> None:
        """Refuse."""
        raise NotImplementedError("install pymicro-vad to detect speech")
