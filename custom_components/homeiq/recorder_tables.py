"""What is asked of the recorder's database. Runs in the recorder's own threads.

A page is bounded by its rows, and so is the time that it is looked for in: no database has to sort more than that.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from homeassistant.components.recorder.core import Recorder
from homeassistant.components.recorder.db_schema import (
    RecorderRuns,
    StateAttributes,
    States,
    StatesMeta,
    Statistics,
    StatisticsMeta,
)
from homeassistant.helpers.recorder import session_scope
from homeassistant.util.ulid import bytes_to_ulid_or_none
from sqlalchemy import Select, and_, case, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, aliased

from .time_us import time_us

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

type Cursor = tuple[float, int]


class RecordedState(NamedTuple):
    """A change as the recorder has it.

    Attributes:
        entity_id: As the entity is called today.
        state: None when the entity was removed, which the recorder writes as NULL; its empty text is an empty state.
        attributes: A JSON object, or None; of a removal the last ones before it.
        previous: As the live event had it: None for the first state after a restart of Home Assistant, too.
        previous_changed_us: Since when it was that.
        time_us: To the microsecond the time of the live event.
        context_id: Empty when it was none of Home Assistant's own kind.
        parent_id: The context that caused it, if any.
    """

    entity_id: str
    state: str | None
    attributes: str | None
    previous: str | None
    previous_changed_us: int | None
    time_us: int
    context_id: str
    parent_id: str | None


class RecordedStatistic(NamedTuple):
    """One hour of a long-term statistic, in the unit in which the recorder keeps it."""

    statistic_id: str
    start_us: int
    unit: str | None
    mean: float | None
    min: float | None
    max: float | None
    sum: float | None
    state: float | None


@dataclass(frozen=True, slots=True)
class Table[T]:
    """How to read one kind of row.

    Attributes:
        rows: Of which columns; ``time`` and ``key`` are the first two.
        time: By which it is ordered, seconds since the epoch.
        key: Tells rows of the same time apart.
        name: What it is asked for by.
        build: Makes a value of the columns.
        page: How many rows are read at once.
        window: In how much time they are looked for.
    """

    rows: Select[Any]
    time: InstrumentedAttribute[float | None]
    key: InstrumentedAttribute[int]
    name: InstrumentedAttribute[str | None]
    build: Callable[..., T]
    page: int
    window: timedelta


def _state(  # noqa: PLR0913, PLR0917 - the columns
    time: float,
    entity_id: str,
    state: str | None,
    attributes: str | None,
    previous: str | None,
    previous_changed: float | None,
    previous_updated: float | None,
    context_id: bytes | None,
    parent_id: bytes | None,
) -> RecordedState:
    changed = previous_updated if previous_changed is None else previous_changed
    return RecordedState(
        entity_id=entity_id,
        state=state,
        attributes=attributes,
        previous=previous,
        previous_changed_us=None if previous is None or changed is None else time_us(changed),
        time_us=time_us(time),
        context_id=bytes_to_ulid_or_none(context_id) or "",
        parent_id=bytes_to_ulid_or_none(parent_id),
    )


def _statistic(start: float, statistic_id: str, unit: str | None, *values: float | None) -> RecordedStatistic:
    return RecordedStatistic(statistic_id, time_us(start), unit, *values)


_OLD: Final = aliased(States, name="old")
# Of a removal the recorder keeps no attributes. With the live event go those that the entity had last.
_ATTRIBUTES_ID: Final = case((States.state.is_(None), _OLD.attributes_id), else_=States.attributes_id)

STATES: Final = Table(
    rows=select(
        States.last_updated_ts,
        States.state_id,
        StatesMeta.entity_id,
        States.state,
        StateAttributes.shared_attrs,
        _OLD.state,
        _OLD.last_changed_ts,
        _OLD.last_updated_ts,
        States.context_id_bin,
        States.context_parent_id_bin,
    )
    .join(StatesMeta, StatesMeta.metadata_id == States.metadata_id)
    .outerjoin(_OLD, _OLD.state_id == States.old_state_id)
    .outerjoin(StateAttributes, StateAttributes.attributes_id == _ATTRIBUTES_ID),
    time=States.last_updated_ts,
    key=States.state_id,
    name=StatesMeta.entity_id,
    build=_state,
    page=1_000,
    window=timedelta(hours=6),
)

STATISTICS: Final = Table(
    rows=select(
        Statistics.start_ts,
        Statistics.id,
        StatisticsMeta.statistic_id,
        StatisticsMeta.unit_of_measurement,
        Statistics.mean,
        Statistics.min,
        Statistics.max,
        Statistics.sum,
        Statistics.state,
    ).join(StatisticsMeta, StatisticsMeta.id == Statistics.metadata_id),
    time=Statistics.start_ts,
    key=Statistics.id,
    name=StatisticsMeta.statistic_id,
    build=_statistic,
    page=5_000,
    window=timedelta(days=30),
)


def read_page[T](
    recorder: Recorder, table: Table[T], window: tuple[int, int], names: Collection[str] | None, after: Cursor | None
) -> tuple[list[T], Cursor | None]:
    """Return the next rows between two instants, both included, and where to go on; None at the end.

    The database compares floats of seconds: it is asked for a microsecond more at both ends, and the rest is done
    with the microseconds that the events have.
    """
    start_us, end_us = window
    asked = table.rows.where(table.time.between((start_us - 1) / 1e6, (end_us + 1) / 1e6))
    if names is not None:
        asked = asked.where(table.name.in_(names))
    if after is not None:
        asked = asked.where(or_(table.time > after[0], and_(table.time == after[0], table.key > after[1])))
    with session_scope(session=recorder.get_session(), read_only=True) as session:
        rows = session.execute(asked.order_by(table.time, table.key).limit(table.page)).all()
    found = [table.build(time, *rest) for time, _, *rest in rows if start_us <= time_us(time) <= end_us]
    return found, (rows[-1][0], rows[-1][1]) if len(rows) == table.page else None


def first_us(recorder: Recorder, table: Table[Any], start_us: int) -> int | None:
    """Return the time of the first row from an instant on, or None when there is none."""
    asked = select(func.min(table.time)).where(table.time >= (start_us - 1) / 1e6)
    with session_scope(session=recorder.get_session(), read_only=True) as session:
        first = session.execute(asked).scalar()
    return None if first is None else max(start_us, time_us(first))


def count(recorder: Recorder, table: Table[Any], start_us: int, end_us: int) -> int:
    """Return how many rows there are between two instants."""
    asked = select(func.count()).where(table.time.between(start_us / 1e6, end_us / 1e6))
    with session_scope(session=recorder.get_session(), read_only=True) as session:
        return session.execute(asked).scalar_one()


def crashed_between(recorder: Recorder, start_us: int, end_us: int) -> bool:
    """Return whether a run of the recorder was cut short between two instants.

    The next run notices, and writes its own beginning as the end of the one before.
    """
    start, end = (_EPOCH + timedelta(microseconds=instant) for instant in (start_us, end_us))
    asked = select(RecorderRuns.run_id).where(RecorderRuns.closed_incorrect, RecorderRuns.end.between(start, end))
    with session_scope(session=recorder.get_session(), read_only=True) as session:
        return session.execute(asked.limit(1)).first() is not None
