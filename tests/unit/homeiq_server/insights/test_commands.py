"""Devices that do not do what they are asked."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.insights.commands import Commands, condition
from homeiq_server.insights.subject import Subject
from tests.unit.homeiq_server.insights import homes


def given_commands(*latencies: float | None) -> Commands:
    commands = Commands()
    for second, latency in enumerate(latencies):
        commands.asked(1_000.0 * second, None if latency is None else 1_000.0 * second + latency)
    return commands


def test_three_unanswered_in_a_row_are_told_and_two_are_not() -> None:
    assert given_commands(*[0.2] * 18, None, None).check() is None
    evidence = given_commands(*[0.2] * 17, None, None, None).check()
    assert evidence is not None
    assert evidence["unanswered"] == 3
    assert evidence["commands"] == 20
    assert given_commands(None, None, None).check() is not None


def test_the_more_answers_lie_between_the_more_failures_it_takes() -> None:
    assert given_commands(None, 0.2, 0.2, None, 0.2, 0.2, None).check() is not None
    assert given_commands(None, *[0.2] * 5, None, *[0.2] * 5, None).check() is None
    assert given_commands(None, *[0.2] * 5, None, *[0.2] * 5, None, None).check() is not None


def test_a_device_that_fails_one_command_in_a_hundred_is_not_told() -> None:
    chance = random.Random(1)  # noqa: S311  # a simulation
    commands, told = Commands(), 0
    for second in range(50_000):
        commands.asked(float(second), None if chance.random() < 0.01 else second + 0.2)
        told += commands.failing
    assert told < 500


def test_less_than_ten_commands_are_not_called_slow() -> None:
    assert given_commands(*[20.0] * 9).check() is None
    assert given_commands(*[20.0] * 10).check() is not None


def test_it_is_over_when_it_answers_again() -> None:
    assert given_commands(*[0.2] * 17, None, None, None, *[0.2] * 16).check() is not None
    assert given_commands(*[0.2] * 17, None, None, None, *[0.2] * 17).check() is None


def test_slow_answers_are_told() -> None:
    evidence = given_commands(*[0.5] * 18, 14, 15).check()
    assert evidence is not None
    assert evidence["slowest_5_percent_s"] == pytest.approx(14, abs=0.1)
    assert given_commands(*[0.5] * 19, 15).check() is None


def test_people_are_told_how_many() -> None:
    failing = given_commands(*[0.2] * 17, None, None, None).check()
    slow = given_commands(*[0.5] * 18, 14, 15).check()
    assert failing is not None
    assert slow is not None
    subject = Subject.of_device(homes.device(name="Porch light"))
    assert condition(subject, failing, 1).explanation.startswith(
        "Porch light did not answer 3 of the last 20 commands."
    )
    assert "sometimes takes 14 seconds" in condition(subject, slow, 1).explanation
    assert condition(subject, failing, 1).since_us == 19_000_000_000


@given(st.lists(st.tuples(st.floats(), st.none() | st.floats()), max_size=60))
def test_no_time_breaks_it_and_a_checkpoint_restores_it(asked: list[tuple[float, float | None]]) -> None:
    commands = Commands()
    for asked_s, answered_s in asked:
        commands.asked(asked_s, answered_s)
    restored = msgspec.msgpack.decode(msgspec.msgpack.encode(commands), type=Commands)
    assert restored == commands
    assert restored.check() == commands.check()
    assert len(commands.latencies) <= 40
