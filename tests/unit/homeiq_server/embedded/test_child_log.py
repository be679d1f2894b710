"""What a child prints, in the server's log."""

import asyncio
import logging

import pytest

from homeiq_server.embedded.child_log import LONGEST_LINE, ChildLog

LEVELS = {b"D": logging.DEBUG, b"I": logging.INFO, b"E": logging.ERROR}


def parse(line: bytes) -> tuple[int, str]:
    return LEVELS[line[:1]], line.decode()


async def forwarded(*chunks: bytes) -> ChildLog:
    log = ChildLog(logging.getLogger("child"), parse)
    stream = asyncio.StreamReader()
    for chunk in chunks:
        stream.feed_data(chunk)
    stream.feed_eof()
    await log.forward(stream)
    return log


async def test_lines_keep_their_level_and_their_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await forwarded(b"Done\nIt is", b" so\n\nE no\nI end without a break")
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.DEBUG, "Done"),
        (logging.INFO, "It is so"),
        (logging.ERROR, "E no"),
        (logging.INFO, "I end without a break"),
    ]


async def test_the_last_error_is_remembered() -> None:
    assert (await forwarded(b"E first\nE last\nI go on\n")).last_error == "E last"


async def test_a_line_without_end_is_cut_off(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await forwarded(b"I" * 100_000, b"I" * 100_000, b"\nI next\n")
    assert [len(message) for message in caplog.messages] == [LONGEST_LINE, len("I next")]


async def test_a_child_that_talks_too_much_is_bounded_but_its_error_is_remembered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    log = await forwarded(b"I talk\n" * 5_000 + b"E the reason\n")
    assert len(caplog.messages) <= 2 * 60 + 1  # a minute may turn meanwhile
    assert log.last_error == "E the reason"
