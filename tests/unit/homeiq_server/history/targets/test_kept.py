"""Which times each product says that it keeps; whoever does not tell keeps everything, as far as we know."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.history.answers import Refusal
from homeiq_server.history.target import Identity, Kept
from homeiq_server.history.targets.product import length_of_time
from homeiq_server.history.targets.victoria_metrics import VictoriaMetrics
from tests.unit.homeiq_server.history.fake_database import FakeDatabase, running
from tests.unit.homeiq_server.history.targets.target_builders import KINDS, Kind, connected

MONTH, TWO_DAYS, UNKNOWN = timedelta(days=30), timedelta(days=2), Kept()

TELLING = [kind for kind in KINDS if kind.path == "/write" or kind.dialect in ("influx2", "cloud", "victoria")]


def name(kind: Kind) -> str:
    return kind.dialect


@pytest.mark.parametrize("kind", TELLING, ids=name)
async def test_what_is_kept_is_known_once_identified(kind: Kind) -> None:
    async with running(kind.database()) as database, connected(kind.settings(database.url)) as target:
        database.keeps = MONTH
        assert target.kept == UNKNOWN
        assert isinstance(await target.identify(), Identity)
        assert target.kept == Kept(past=MONTH, future=TWO_DAYS if kind.dialect == "victoria" else None)


@pytest.mark.parametrize("kind", [kind for kind in TELLING if kind.dialect != "victoria"], ids=name)
async def test_what_is_kept_for_ever_has_no_bound(kind: Kind) -> None:
    async with running(kind.database()) as database, connected(kind.settings(database.url)) as target:
        assert isinstance(await target.identify(), Identity)
        assert target.kept == UNKNOWN


@pytest.mark.parametrize("kind", KINDS, ids=name)
async def test_who_may_not_ask_can_still_write(kind: Kind) -> None:
    async with running(kind.database()) as database, connected(kind.settings(database.url)) as target:
        database.keeps, database.tells_kept = MONTH, False
        assert isinstance(await target.identify(), Identity)
        assert target.kept == UNKNOWN
        assert await target.write(b"m f=1.0", precision="us") is None


async def test_the_retention_policy_that_is_written_to_counts_and_not_the_default_one() -> None:
    kind = KINDS[0]
    async with running(FakeDatabase("influx1")) as database:
        settings = kind.settings(database.url)
        database.keeps = MONTH
        for bucket, past in (("home", MONTH), ("home/raw", TWO_DAYS), ("home/none", None), ("", None)):
            changed = type(settings)(url=database.url, username="u", password="p", bucket=bucket)
            async with connected(changed) as target:
                assert isinstance(await target.identify(), Identity)
                assert target.kept == Kept(past=past)
                assert await target.write(b"m f=1.0", precision="us") is None
                policy = bucket.partition("/")[2]
                assert database.queries[-1].get("rp", "") == policy


async def test_a_longer_retention_is_noticed_without_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = KINDS[1]
    async with running(kind.database()) as database, connected(kind.settings(database.url)) as target:
        database.keeps = TWO_DAYS
        assert isinstance(await target.identify(), Identity)
        database.keeps = MONTH
        await target.write(b"m f=1.0", precision="us")
        assert target.kept.past == TWO_DAYS
        monkeypatch.setattr(target, "_kept_until", 0.0)
        await target.write(b"m f=1.0", precision="us")
        assert target.kept.past == MONTH


async def test_a_restart_of_victoria_metrics_brings_its_new_retention() -> None:
    async with running(FakeDatabase("victoria")) as database, connected(KINDS[6].settings(database.url)) as target:
        database.keeps = TWO_DAYS
        assert isinstance(await target.identify(), Identity)
        database.keeps = MONTH
        assert not isinstance(await target.epoch(), Refusal)
        assert target.kept == Kept(past=MONTH, future=TWO_DAYS)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("36h0m0s", timedelta(hours=36)),
        ("0s", timedelta()),
        ("168h0m0s", timedelta(days=7)),
        ("10y", timedelta(days=3_650)),
        ("2w", timedelta(days=14)),
        ("1.5d", timedelta(hours=36)),
        ("1y6w", timedelta(days=407)),
        ("250ms", timedelta(milliseconds=250)),
        ("", None),
        ("d", None),
        ("5", None),
        ("-5d", None),
        ("5 d", None),
        ("INF", None),
        ("9" * 40 + "y", None),
    ],
)
def test_a_length_of_time_is_read_as_the_databases_write_it(text: str, length: timedelta | None) -> None:
    assert length_of_time(text) == length


@given(st.text())
def test_no_length_of_time_confuses_the_reader(text: str) -> None:
    length = length_of_time(text)
    assert length is None or length >= timedelta()


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        ({"retentionPeriod": "10y", "futureRetention": "2d"}, Kept(timedelta(days=3_650), TWO_DAYS)),
        ({"retentionPeriod": "10y"}, Kept(timedelta(days=3_650), TWO_DAYS)),
        ({"retentionPeriod": "1"}, Kept(timedelta(days=31), TWO_DAYS)),
        ({"retentionPeriod": "1.5", "futureRetention": "1w"}, Kept(timedelta(days=46.5), timedelta(days=7))),
        ({"retentionPeriod": "for ever"}, UNKNOWN),
        ({"retentionPeriod": "nan"}, UNKNOWN),
        ({"retentionPeriod": "1e300"}, UNKNOWN),
        ({"futureRetention": "2d"}, UNKNOWN),
        ({}, UNKNOWN),
    ],
)
async def test_victoria_metrics_tells_by_its_flags(flags: dict[str, str], kept: Kept) -> None:
    async with running(FakeDatabase("victoria")) as database:
        settings = KINDS[6].settings(database.url)
        product = VictoriaMetrics(None, settings, settling_s=1)  # type: ignore[arg-type]  # it is asked nothing
        product.learn(
            "".join(f'flag{{name="{key}", value="{value}", is_set="true"}} 1\n' for key, value in flags.items())
        )
        assert product.kept == kept
