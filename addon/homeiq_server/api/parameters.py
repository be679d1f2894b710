"""What the parameters of several addresses have in common."""

from typing import Annotated

from msgspec import Meta

# PostgreSQL has no text with a NUL in it.
type Words = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
type PageSize = Annotated[int, Meta(ge=1, le=500)]
# Of other letters each would take up to twelve in an address, which would be too long for a request.
type CursorText = Annotated[str, Meta(max_length=4_000, pattern=r"^[A-Za-z0-9_-]*$(?!\n)")]
