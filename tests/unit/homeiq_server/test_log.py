"""The log's format."""

import logging
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeiq_server.log import Logfmt

_LINE = re.compile(r'(?:[a-z]+=(?:[A-Za-z0-9_.:/-]+|"(?:[^"\\]|\\.)*")(?: |$))+')


def _format(message: str, **more: object) -> str:
    record = logging.LogRecord("homeiq_server.app", logging.INFO, "", 0, message, (), None)
    record.__dict__.update(more)
    return Logfmt().format(record)


@settings(derandomize=True, deadline=None)
@given(st.text())
def test_every_message_is_one_line_of_logfmt_in_ascii(message: str) -> None:
    line = _format(message)
    assert line.isascii()
    assert line.isprintable()
    assert _LINE.fullmatch(line)


def test_a_line_reads_as_people_expect() -> None:
    line = _format('Küche said "on"\nand more')
    assert line.endswith(r'level=info logger=homeiq_server.app msg="K\xfcche said \"on\"\nand more"')


def test_an_exception_stays_on_its_line() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        1 / 0  # noqa: B018  # to have an exception
    error = (caught.type, caught.value, caught.tb)
    line = _format("it failed", exc_info=error)
    assert "\n" not in line
    assert "ZeroDivisionError" in line
