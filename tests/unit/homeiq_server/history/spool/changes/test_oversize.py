"""Lines that are too long are told from the rest, however they lie."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeiq_server.history.spool.changes import oversize
from homeiq_server.model import Lines

LIMIT = 10


@pytest.fixture(autouse=True, scope="module")
def small_limit() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(oversize, "MAX_LINE_BYTES", LIMIT)
        yield


bodies = st.lists(st.integers(1, 2 * LIMIT + 2).map(lambda length: b"x" * length), min_size=1, max_size=20)


@settings(derandomize=True, deadline=None, max_examples=500)
@given(bodies)
def test_exactly_the_lines_over_the_limit_are_parted_from_the_rest(some: Sequence[bytes]) -> None:
    parted = oversize.part(Lines(b"\n".join(some), len(some), "ms"))

    fit = [line for line in some if len(line) <= LIMIT]
    assert parted.lines == Lines(b"\n".join(fit), len(fit), "ms")
    assert [letter.line for letter in parted.letters] == [line for line in some if len(line) > LIMIT]
    assert oversize.has_long_line(b"\n".join(some)) == (len(fit) < len(some))


def test_a_body_without_a_line_that_is_too_long_is_not_even_copied() -> None:
    lines = Lines(b"\n".join([b"x" * LIMIT] * 100), 100)

    assert oversize.part(lines).lines is lines
