"""When what comes is late, by a clock of our own."""

import pytest

from homeiq_server.ingest.mqtt.backlog import MOST_S, Backlog
from tests.unit.homeiq_server.ingest_builders import Clock

WINDOW = 100


class Broker:
    """Sends echoes back after a while, and looks once a second."""

    def __init__(self, *, lag_s: float | None) -> None:
        self.clock = Clock()
        self.backlog = Backlog(clock=self.clock)
        self.lag_s = lag_s
        self.held = 0
        self.echoes: list[tuple[float, bytes]] = []

    def looks(self, seconds: int, *, came: int = 10) -> int:
        """Let seconds pass, in which so many come each; return how many of them were late."""
        late = 0
        for _ in range(seconds):
            late += sum(self.backlog.came(self.held) for _ in range(came))
            if (echo := self.backlog.look(self.held)) and self.lag_s is not None:
                self.echoes.append((self.clock.now + self.lag_s, echo))
            target = self.clock.now + 1
            for at, echo in sorted(each for each in self.echoes if each[0] <= target):
                self.clock.now = max(self.clock.now, at)
                self.backlog.returned(echo)
                self.echoes.remove((at, echo))
            self.clock.now = target
        return late


def test_nothing_is_late_that_came_without_an_absence() -> None:
    broker = Broker(lag_s=0.1)
    assert broker.looks(10) == 0
    assert broker.echoes == []


def test_all_is_late_until_an_echo_comes_back_soon() -> None:
    broker = Broker(lag_s=30)
    broker.backlog.begin(WINDOW)
    assert broker.looks(100) == 1_000
    broker.lag_s = 0.9
    broker.looks(1)
    assert not broker.backlog.is_on
    assert broker.looks(100) == 0


def test_with_nothing_waiting_it_ends_after_a_second_however_much_comes() -> None:
    broker = Broker(lag_s=0.01)
    broker.backlog.begin(WINDOW)
    broker.held = WINDOW // 2 - 1
    assert broker.looks(1_000, came=5_000) <= 2 * 5_000


def test_a_window_half_full_is_a_backlog_though_the_echo_overtook_it() -> None:
    broker = Broker(lag_s=0.01)
    broker.backlog.begin(WINDOW)
    broker.held = WINDOW // 2
    assert broker.looks(60) == 600
    broker.held = 0
    broker.looks(2)
    assert not broker.backlog.is_on


@pytest.mark.parametrize("forbids", [True, False])
def test_without_echoes_silence_ends_it_and_only_while_nothing_is_held(forbids: bool) -> None:  # noqa: FBT001
    broker = Broker(lag_s=None)
    if forbids:
        broker.backlog.forgo_echoes()
    broker.backlog.begin(WINDOW)
    assert broker.looks(60) == 600
    broker.held = 1
    broker.looks(60, came=0)
    assert broker.backlog.is_on
    broker.held = 0
    broker.looks(4, came=0)
    assert not broker.backlog.is_on


def test_a_standstill_of_our_own_is_no_silence() -> None:
    broker = Broker(lag_s=None)
    broker.backlog.begin(WINDOW)
    for _ in range(10):
        broker.clock.now += 20
        broker.backlog.look(0)  # before what is there to be read
        assert broker.backlog.came(0)


def test_echoes_go_out_once_a_second_and_none_when_they_are_forbidden() -> None:
    clock = Clock()
    backlog = Backlog(clock=clock)
    backlog.begin(WINDOW)
    assert backlog.look(1) is not None
    clock.now += 0.9
    assert backlog.look(1) is None
    clock.now += 0.1
    assert backlog.look(1) is not None
    backlog.forgo_echoes()
    clock.now += 5
    assert backlog.look(1) is None


def test_an_echo_of_a_connection_before_tells_nothing() -> None:
    clock = Clock()
    backlog = Backlog(clock=clock)
    backlog.begin(WINDOW)
    echo = backlog.look(0)
    assert echo is not None
    backlog.end()
    backlog.begin(WINDOW)
    clock.now += 5
    backlog.returned(echo)
    backlog.returned(b"of another program")
    assert backlog.is_on


def test_a_flood_that_never_ends_is_late_for_half_an_hour_and_no_longer() -> None:
    broker = Broker(lag_s=None)
    broker.held = WINDOW
    broker.backlog.begin(WINDOW)
    assert MOST_S <= broker.looks(2 * 3_600, came=1) <= MOST_S + 1


def test_a_flood_that_ends_connections_too_is_late_for_no_more_than_half_of_the_time() -> None:
    broker = Broker(lag_s=None)
    broker.held = WINDOW
    late = 0
    for _ in range(6 * 60):  # minutes
        broker.backlog.begin(WINDOW)
        late += broker.looks(60, came=1)
        broker.backlog.end()
    assert late <= MOST_S + 6 * 3_600 / 2


def test_after_hours_away_there_is_half_an_hour_again() -> None:
    broker = Broker(lag_s=None)
    broker.held = WINDOW
    for _ in range(3):
        broker.backlog.begin(WINDOW)
        assert MOST_S <= broker.looks(3_600, came=1) <= MOST_S + 1
        broker.backlog.end()
        broker.clock.now += 3 * 3_600
