"""Texts of strangers on their way into a table."""


def storable(text: str, letters: int) -> str:
    """Return a text of at most so many letters that PostgreSQL can hold: none with a NUL or half a character in it."""
    short = text if len(text) <= letters else text[: letters - 1] + "…"
    return short.encode(errors="replace").decode().replace("\x00", "\ufffd")
