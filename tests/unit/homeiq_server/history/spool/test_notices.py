"""The log tells of a filling and of a dropping queue once when it begins and once when it ends."""

import logging

import pytest

from homeiq_server.history.spool.notices import Notices
from homeiq_server.history.spool.totals import LineTotals, Totals


def seen(caplog: pytest.LogCaptureFixture, *some: Totals) -> list[str]:
    notices = Notices()
    with caplog.at_level(logging.INFO):
        for totals in some:
            notices.see(totals)
    return [f"{record.levelname}: {record.getMessage()}" for record in caplog.records]


def filled(percent: int) -> Totals:
    return Totals(limit_bytes=100 * 1024 * 1024, queued_bytes=percent * 1024 * 1024)


def dropping(lines: int, *, since_us: int | None) -> Totals:
    return Totals(lines=LineTotals(dropped={"overflow": lines, "damage": 7}), dropping_since_us=since_us)


def test_a_filling_queue_is_told_at_80_percent_and_again_only_after_it_fell_below_70(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = seen(caplog, *map(filled, [0, 79, 80, 99, 79, 70, 85, 69, 79, 81, 120]))

    assert told == [
        "WARNING: The queue is 80 % full of 100 MiB, 0 lines wait: see to the database",
        "INFO: The queue has fallen to 69 % of its limit",
        "WARNING: The queue is 81 % full of 100 MiB, 0 lines wait: see to the database",
    ]


def test_an_episode_of_dropping_is_told_with_its_begin_its_end_and_its_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = seen(
        caplog,
        dropping(5, since_us=None),
        dropping(8, since_us=1),
        dropping(9, since_us=1),
        dropping(20, since_us=1),
        dropping(20, since_us=None),
        dropping(20, since_us=None),
    )

    assert [text.split(":")[0] for text in told] == ["WARNING", "INFO"]
    assert told[1] == "INFO: The queue has room again; 15 lines were dropped"
