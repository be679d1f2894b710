"""What of a row is changed when only some of its columns are given."""

from collections.abc import Mapping


def assignments(given: Mapping[str, object], *, first: int) -> str:
    """Return what follows ``SET`` for the columns of ``given``, whose values are bound from ``$first`` on in its order.

    The names are those of our own columns, never what somebody sent.
    """
    return "".join(f"{column} = ${place}, " for place, column in enumerate(given, start=first))
