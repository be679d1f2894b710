"""What alerts say."""

from datetime import UTC, datetime

import pytest

from homeiq_server.alerts import words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (90, "90 seconds"),
        (60, "1 minute"),
        (300, "5 minutes"),
        (7_200, "2 hours"),
        (86_400, "1 day"),
    ],
)
def test_a_duration_is_told_exactly_in_its_largest_unit(seconds: int, text: str) -> None:
    assert words.duration(seconds) == text


def test_a_value_is_told_with_its_limit_and_no_unit_that_nobody_knows() -> None:
    assert (
        words.beyond("Boiler", "temp_c", 81.25, "GT", 80.0, 300)
        == "Boiler reports temp_c 81.25, which is above 80 for at least 5 minutes."
    )
    assert words.beyond("Tank", "level", -0.5, "LTE", 0.0, 0) == "Tank reports level -0.5, which is at or below 0."


def test_an_absence_tells_when_the_device_was_heard_last() -> None:
    at = datetime(2026, 11, 22, 12, 0, 5, tzinfo=UTC)
    assert (
        words.absent("Boiler", "NO_HEARTBEAT", 60, at)
        == "Boiler has sent nothing for 1 minute or longer; the last came at 2026-11-22 12:00:05 UTC."
    )
    assert (
        words.absent("Boiler", "NO_TELEMETRY", 90, None)
        == "Boiler has sent no values for 90 seconds or longer; it never did."
    )
