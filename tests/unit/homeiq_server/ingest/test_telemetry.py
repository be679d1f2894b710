"""The way of messages into the queue, and what it says when that is closed."""

import logging

import pytest

from homeiq_server.errors import RetryLater
from homeiq_server.ingest.telemetry import TelemetryIntake
from tests.unit.homeiq_server.ingest_builders import SpoolOf


async def test_a_queue_that_refuses_is_told_once_and_in_words_that_are_true_of_devices_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    spool = SpoolOf()
    channel = TelemetryIntake(spool, lambda: "influx")
    spool.error = RetryLater("the disk is full")
    for _ in range(2):
        with pytest.raises(RetryLater):
            await channel.keep([], {"NOT_OBJECT": 1})
    spool.error = None
    await channel.keep([], {"NOT_OBJECT": 1})
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "telemetry cannot be stored now, and wait with their senders: the disk is full"
    assert [words.split(",")[0] for words in said] == ["telemetry cannot be stored now", "telemetry are accepted again"]
