"""Stands in for a library that has no wheel for Python 3.14; see ``pymicro_vad``."""


class AudioProcessor:
    """Cleans sound; here it cannot be created, because nobody speaks to the demo."""

    def __init__(self, *_: object) -> None:
        """Refuse."""
        raise NotImplementedError("install pyspeex-noise to process sound")
