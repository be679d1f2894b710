from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.insights.engine import Engine
from homeiq_server.insights.finding import Hour
from homeiq_server.insights.hours import HOUR_US, Hours
from tests.unit.homeiq_server.insights.homes import START_US, device, entity, event, home, temperature


def engine() -> Engine:
    engine = Engine("home")
    engine.place(
        home(
            device(),
            temperature(),
            entity("light.lamp"),
            entity("sensor.words"),
            entity("sensor.loose", None, unit="W"),
        )
    )
    return engine


def test_numbers_are_counted_by_utc_hour() -> None:
    home_engine = engine()
    home_engine.observe([event(at_us=START_US + n * HOUR_US // 2, state=str(n)) for n in range(4)])
    assert home_engine.take_hours() == [
        Hour(id="#sensor.temperature", hour_us=START_US, count=2, min=0, max=1, sum=1, last=1,
             last_us=START_US + HOUR_US // 2),
        Hour(id="#sensor.temperature", hour_us=START_US + HOUR_US, count=2, min=2, max=3, sum=5, last=3,
             last_us=START_US + 3 * HOUR_US // 2),
    ]  # fmt: skip


def test_they_are_taken_once() -> None:
    home_engine = engine()
    home_engine.observe([event()])
    assert len(home_engine.take_hours()) == 1
    assert home_engine.take_hours() == []
    home_engine.observe([event(at_us=START_US + 1)])
    assert [each.count for each in home_engine.take_hours()] == [1]


def test_an_entity_without_a_device_has_hours_too() -> None:
    home_engine = engine()
    home_engine.observe([event("sensor.loose")])
    assert [each.id for each in home_engine.take_hours()] == ["#sensor.loose"]


def test_words_and_what_is_no_finite_number_are_not_counted() -> None:
    home_engine = engine()
    states = ["on", "", "nan", "inf", "-inf", "1e400", "unknown", "unavailable", None]
    home_engine.observe([event(state=each) for each in states])
    home_engine.observe([event("light.lamp", state="5"), event("sensor.words", state="7")])
    assert home_engine.take_hours() == []


def test_what_is_published_anew_after_a_start_is_not_counted() -> None:
    home_engine = engine()
    home_engine.begin("run", START_US)
    home_engine.observe([event(at_us=START_US + 1, previous=None)])
    assert home_engine.take_hours() == []


_hours = st.lists(
    st.builds(
        Hour,
        id=st.sampled_from("ab"),
        hour_us=st.sampled_from([0, HOUR_US]),
        count=st.integers(1, 3),
        min=st.integers(-5, 0).map(float),
        max=st.integers(0, 5).map(float),
        sum=st.integers(-5, 5).map(float),
        last=st.just(0.0),
        last_us=st.integers(0, HOUR_US),
    ),
    max_size=12,
)


@given(_hours)
def test_what_is_given_back_is_merged_and_nothing_is_lost(given_back: list[Hour]) -> None:
    hours = Hours()
    hours.give_back(given_back)
    taken = hours.take()
    assert sum(each.count for each in taken) == sum(each.count for each in given_back)
    assert sum(each.sum for each in taken) == sum(each.sum for each in given_back)
    assert len({(each.id, each.hour_us) for each in taken}) == len(taken)
    for each in taken:
        of = [one for one in given_back if (one.id, one.hour_us) == (each.id, each.hour_us)]
        assert each.min == min(one.min for one in of)
        assert each.max == max(one.max for one in of)
        assert each.last_us == max(one.last_us for one in of)


def test_what_is_given_back_is_bounded_and_the_oldest_goes_first() -> None:
    hours = Hours(kept=2)
    hours.give_back(
        [Hour(id="a", hour_us=n * HOUR_US, count=1, min=0, max=0, sum=0, last=0, last_us=0) for n in (3, 1, 2)]
    )
    assert {each.hour_us for each in hours.take()} == {2 * HOUR_US, 3 * HOUR_US}
    assert hours.dropped == 1
