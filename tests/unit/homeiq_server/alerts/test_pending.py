"""What waits for the store: the newest of each metric, the extremes of watched ones, bounded and counted."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.alerts.pending import MOST_SAMPLES, Pending, states_of
from homeiq_server.ingest.message import Accepted, Value
from homeiq_server.store.device_states import MOST_METRICS


def said(
    time_us: int = 1, device_id: str = "lamp", *, msg_type: str = "telemetry", received_us: int = 0, **metrics: Value
) -> Accepted:
    return Accepted(
        tenant_id="home",
        device_id=device_id,
        site_id="home",
        msg_type=msg_type,
        time_us=time_us,
        received_us=received_us or time_us,
        metrics=metrics,
        position=None,
        size=10,
    )


def all_watched(_tenant_id: str) -> frozenset[str]:
    return frozenset({"temp"})


def test_late_values_do_not_replace_newer_ones_metric_by_metric() -> None:
    pending = Pending()
    pending.add([said(5, temp=1.0), said(3, temp=2.0, hum=3.0)], all_watched)
    [state] = states_of(pending.take())
    assert state.metrics == {"temp": (1.0, 5), "hum": (3.0, 3)}


def test_heartbeats_and_telemetry_are_told_apart_by_our_own_clock() -> None:
    pending = Pending()
    pending.add([said(1, received_us=100, temp=1.0), said(9, msg_type="heartbeat", received_us=200)], all_watched)
    [state] = states_of(pending.take())
    assert (state.last_seen_us, state.last_telemetry_us, state.last_heartbeat_us) == (200, 100, 200)


@given(st.lists(st.tuples(st.integers(0, 1000), st.floats(-1e6, 1e6)), min_size=1, max_size=200))
def test_however_much_is_said_the_extremes_and_the_last_of_a_watched_metric_stay(
    values: list[tuple[int, float]],
) -> None:
    pending = Pending()
    pending.add([said(time_us, temp=value) for time_us, value in values], all_watched)
    [heard] = pending.take().values()
    samples = [sample.value for sample in heard.samples["temp"]]
    assert len(samples) <= MOST_SAMPLES
    assert (min(samples), max(samples)) == (min(value for _, value in values), max(value for _, value in values))
    assert max(sample.time_us for sample in heard.samples["temp"]) == max(time_us for time_us, _ in values)
    assert heard.metrics["temp"][1] == max(time_us for time_us, _ in values)


def test_switches_are_watched_as_numbers_and_texts_are_not() -> None:
    pending = Pending()
    pending.add([said(1, temp=True), said(2, temp="hot")], all_watched)
    [heard] = pending.take().values()
    assert [sample.value for sample in heard.samples["temp"]] == [1.0]


def test_what_is_given_back_is_older_than_what_came_meanwhile() -> None:
    pending = Pending()
    pending.add([said(1, temp=1.0, hum=1.0), said(1, "door", open=True)], all_watched)
    taken = pending.take()
    pending.add([said(2, temp=2.0)], all_watched)
    pending.give_back(taken)
    states = {state.device_id: state for state in states_of(pending.take())}
    assert states["lamp"].metrics == {"temp": (2.0, 2), "hum": (1.0, 1)}
    assert states["door"].metrics == {"open": (True, 1)}


def test_given_back_samples_come_first() -> None:
    pending = Pending()
    pending.add([said(1, temp=1.0)], all_watched)
    taken = pending.take()
    pending.add([said(2, temp=2.0)], all_watched)
    pending.give_back(taken)
    [heard] = pending.take().values()
    assert [(sample.time_us, sample.value) for sample in heard.samples["temp"]] == [(1, 1.0), (2, 2.0)]


def test_when_it_is_full_known_devices_are_kept_and_others_counted() -> None:
    pending = Pending(limit=2)
    pending.add([said(n, f"d{n}", temp=1.0) for n in range(1, 5)], all_watched)
    pending.add([said(9, "d1", temp=9.0)], all_watched)
    states = {state.device_id: state for state in states_of(pending.take())}
    assert set(states) == {"d1", "d2"}
    assert states["d1"].metrics == {"temp": (9.0, 9)}
    assert pending.dropped == 2


def test_giving_back_does_not_go_over_the_limit() -> None:
    pending = Pending(limit=2)
    pending.add([said(1, "d1"), said(1, "d2")], all_watched)
    taken = pending.take()
    pending.add([said(2, "d2"), said(2, "d3")], all_watched)
    pending.give_back(taken)
    assert {device_id for _, device_id in pending.take()} == {"d1", "d2"}
    assert pending.dropped == 1


def test_a_device_that_makes_up_names_does_not_grow_without_end() -> None:
    pending = Pending()
    names: list[dict[str, Any]] = [{f"m{n}": 1.0} for n in range(1_000)]
    pending.add([said(1, **name) for name in names], all_watched)
    [state] = states_of(pending.take())
    assert len(state.metrics) == MOST_METRICS


def test_a_position_is_the_newest_one() -> None:
    pending = Pending()
    place = Accepted(
        tenant_id="home",
        device_id="lamp",
        site_id="home",
        msg_type="telemetry",
        time_us=5,
        received_us=5,
        metrics={},
        position=(1.0, 2.0),
        size=1,
    )
    pending.add([place, said(9)], all_watched)
    [state] = states_of(pending.take())
    assert state.position == (1.0, 2.0, 5)
