"""Who answers, and with what it was configured, decide which endpoint is used."""

import pytest

from homeiq_server.history.answers import Action, Category, Refusal
from homeiq_server.history.influx import InfluxSettings
from homeiq_server.history.target import Identity
from tests.unit.homeiq_server.history.fake_database import FakeDatabase, running
from tests.unit.homeiq_server.history.targets.target_builders import connected

LINE = b"m f=1.0 1"


@pytest.mark.parametrize(
    ("dialect", "given", "path"),
    [
        ("influx1", {"username": "u", "password": "p"}, "/write"),
        ("influx1", {}, "/write"),
        ("influx1", {"token": "u:p"}, "/api/v2/write"),
        ("influx1.6", {"username": "u", "password": "p"}, "/write"),
        ("influx2", {"token": "t"}, "/api/v2/write"),
        ("influx3", {"username": "u", "password": "p"}, "/api/v2/write"),
        ("cloud", {"token": "t"}, "/api/v2/write"),
    ],
)
async def test_the_version_and_the_kind_of_credentials_choose_the_endpoint(
    dialect: str, given: dict[str, str], path: str
) -> None:
    settings = {"bucket": "home", **given}
    async with (
        running(FakeDatabase(dialect)) as database,
        connected(InfluxSettings(url=database.url, **settings)) as target,  # type: ignore[arg-type]  # texts only
    ):
        assert isinstance(await target.identify(), Identity)
        assert await target.write(LINE, precision="us") is None
        assert database.requests[-1] == ("POST", path)


async def test_a_token_for_an_influxdb_that_knows_none_is_held_with_the_remedy() -> None:
    async with (
        running(FakeDatabase("influx1.6")) as database,
        connected(InfluxSettings(url=database.url, token="u:p", bucket="home")) as target,
    ):
        refusal = await target.identify()
        assert isinstance(refusal, Refusal)
        assert (refusal.action, refusal.category) == (Action.HOLD, Category.CONFIGURATION)
        assert "give influx_username and influx_password instead of influx_token" in refusal.reason


async def test_an_update_of_the_database_is_noticed_when_it_answers_again() -> None:
    async with (
        running(FakeDatabase("influx1")) as database,
        connected(InfluxSettings(url=database.url, token="u:p", bucket="home")) as target,
    ):
        assert await target.identify() == Identity("InfluxDB", "1.8.10")
        database.dialect = "influx2"
        assert await target.identify() == Identity("InfluxDB", "2.7.11")
        assert await target.write(LINE, precision="us") is None
