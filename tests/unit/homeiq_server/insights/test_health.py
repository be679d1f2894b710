"""How well a device is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.insights.finding import Condition, Health, Kind
from homeiq_server.insights.health import assess
from tests.unit.homeiq_server.insights import homes

LAMP = homes.device("Lamp")


def condition(kind: Kind, *, since_us: int = 1, device_id: str | None = "Lamp", **evidence: object) -> Condition:
    return Condition(
        kind=kind,
        subject_type="device",
        subject="Lamp",
        severity=2,
        title="",
        explanation="",
        evidence=evidence,
        since_us=since_us,
        device_id=device_id,
    )


def health(*conditions: Condition, count: int = 1_000, days: float = 30, affected: bool = False) -> Health:
    return assess(LAMP, conditions, count=count, days=days, affected=affected)


def test_a_device_without_conditions_is_good() -> None:
    found = health()
    assert (found.state, found.score, found.confidence, found.deductions) == ("good", 100, 1.0, ())


@pytest.mark.parametrize(
    ("kind", "points", "state"),
    [
        (Kind.OFFLINE, 60, "poor"),
        (Kind.SILENT, 40, "fair"),
        (Kind.FLAPPING, 25, "fair"),
        (Kind.STUCK, 25, "fair"),
        (Kind.DRIFT, 15, "good"),
        (Kind.IMPOSSIBLE, 25, "fair"),
        (Kind.LINK, 10, "good"),
        (Kind.COMMANDS, 20, "good"),
        (Kind.ENERGY, 5, "good"),
        (Kind.HOUSE_QUIET, 0, "good"),
    ],
)
def test_each_kind_has_its_points(kind: Kind, points: int, state: str) -> None:
    found = health(condition(kind))
    assert (found.score, found.state) == (100 - points, state)


@pytest.mark.parametrize(("days_left", "points"), [(0, 20), (14, 20), (15, 8), (30, 8), (31, 0)])
def test_a_battery_costs_by_the_days_that_are_left(days_left: int, points: int) -> None:
    assert health(condition(Kind.BATTERY, days_left=days_left)).score == 100 - points


def test_hygiene_costs_five_at_most() -> None:
    untidy = [
        condition(each)
        for each in (
            Kind.MISSING_AREA,
            Kind.PLACEHOLDER_NAME,
            Kind.MISSING_INTEGRATION,
            Kind.UPDATE_PENDING,
            Kind.ORPHAN_ENTITY,
        )
    ]
    assert health(*untidy).score == 95
    assert health(untidy[0]).score == 99


def test_a_kind_counts_once_and_what_costs_nothing_is_not_named() -> None:
    found = health(condition(Kind.STUCK, since_us=5), condition(Kind.STUCK, since_us=3), condition(Kind.HOUSE_QUIET))
    assert [(each.name, each.points, each.since_us) for each in found.deductions] == [("stuck", 25, 3)]


def test_conditions_of_another_device_are_passed_over() -> None:
    assert health(condition(Kind.OFFLINE, device_id="Radio")).score == 100


@pytest.mark.parametrize(("count", "days", "confidence"), [(14, 30, 0.28), (1_000, 2, 0.29), (0, 0, 0.0)])
def test_too_little_is_learning_and_never_a_number(count: int, days: float, confidence: float) -> None:
    found = health(condition(Kind.STUCK), count=count, days=days)
    assert (found.state, found.score, found.confidence) == ("learning", None, confidence)


def test_an_affected_device_loses_nothing() -> None:
    found = health(condition(Kind.OFFLINE), affected=True)
    assert (found.state, found.score, found.deductions) == ("affected", 100, ())
    assert health(affected=True, count=3).score is None


@given(
    st.lists(
        st.builds(
            condition, st.sampled_from(Kind), since_us=st.integers(0, 10), days_left=st.integers(0, 60) | st.none()
        ),
        max_size=30,
    ),
    st.integers(0, 100),
    st.floats(0, 10),
    st.booleans(),
)
def test_a_score_is_always_what_the_deductions_leave(
    conditions: list[Condition],
    count: int,
    days: float,
    affected: bool,  # noqa: FBT001  # given
) -> None:
    found = health(*conditions, count=count, days=days, affected=affected)
    assert 0 <= found.confidence <= 1
    assert all(each.points >= 1 for each in found.deductions)
    lost = sum(each.points for each in found.deductions)
    assert 0 <= lost <= 100
    assert found.score == (None if found.confidence < 0.3 else 100 - lost)
    assert len({each.name for each in found.deductions}) == len(found.deductions)
