"""The two laws of what is counted, read off the server's status."""

from typing import Any, NamedTuple

INTAKE = ("converted", "skipped", "rejected", "duplicate")
LINES = ("written", "queued", "dead", "dropped")


class Law(NamedTuple):
    """``name: whole = part + part + ...``, with the numbers."""

    name: str
    whole: tuple[str, int]
    parts: dict[str, int]

    @property
    def holds(self) -> bool:
        """Whether the parts add up to the whole."""
        return self.whole[1] == sum(self.parts.values())

    def __str__(self) -> str:
        """Write the law with its numbers, and whether it holds."""
        parts = " + ".join(f"{name} {number}" for name, number in self.parts.items())
        verdict = (
            "holds" if self.holds else f"DOES NOT HOLD: {self.whole[1] - sum(self.parts.values())} are unaccounted for"
        )
        return f"{self.name}: {self.whole[0]} {self.whole[1]} = {parts}  ({verdict})"


def laws(status: dict[str, Any]) -> list[Law]:
    """Return the law of the lines, and the law of the intake for each channel that has received."""
    intake = [_law(f"intake of {channel}", "received", INTAKE, counts) for channel, counts in status["intake"].items()]
    return [*intake, _law("lines", "spooled", LINES, status["lines"])]


def _law(name: str, whole: str, parts: tuple[str, ...], counts: dict[str, int]) -> Law:
    return Law(name, (whole, counts[whole]), {part: counts[part] for part in parts})
