"""Whatever is asked for, the answer is never a fault of the server."""

from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yarl import URL

from homeiq_server.store.pool import Pool
from tests.integration.api.serving import Http
from tests.integration.store.rows import AT_US, device, home, tell

PARAMETERS = {
    "devices": ["area", "floor", "integration", "health", "finding", "search", "removed", "limit", "cursor", "x"],
    "findings": ["state", "kind", "device", "muted", "min_severity", "limit", "cursor"],
    "finding-changes": ["after", "limit"],
    "hours": ["source", "id", "since_us", "until_us"],
    "insights": ["x"],
}
VALUES = st.one_of(
    st.sampled_from(
        ["any", "all", "true", "good", "unhealthy", "silent", "WyJhIiwiYiJd", str(AT_US), "%00", "%ED%A0%80", "%FF"]
    ),
    st.integers().map(str),
    st.binary(max_size=20).map(quote),
    st.text(max_size=20).map(lambda text: quote(text, errors="replace")),
)
ADDRESSES = st.sampled_from(sorted(PARAMETERS)).flatmap(
    lambda path: st.tuples(st.just(path), st.dictionaries(st.sampled_from(PARAMETERS[path]), VALUES, max_size=4))
)
IDS = st.one_of(st.binary(max_size=20).map(quote), st.sampled_from(["%00", "%ED%A0%80", "%FF", "..", "a/b", "'"]))


async def status_of(http: Http, path: str) -> int:
    async with http.get(URL(f"/{path}", encoded=True)) as response:
        return response.status


def examples_of(strategy: st.SearchStrategy[str], number: int) -> list[str]:
    """Return values of a strategy for a test that has to wait for each."""
    found: list[str] = []

    @settings(max_examples=number, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def collect(value: str) -> None:
        found.append(value)

    collect()
    return found


def address_of(path: str, parameters: dict[str, str]) -> str:
    return f"api/v1/{path}?" + "&".join(f"{name}={value}" for name, value in parameters.items())


@pytest.fixture
async def house(http: Http, pool: Pool) -> Http:
    await tell(pool, home(device(area_id="kitchen"), device("door")))
    return http


async def test_no_query_is_ever_a_fault_of_the_server(house: Http) -> None:
    addresses = examples_of(ADDRESSES.map(lambda each: address_of(*each)), 300)
    answers = {address: await status_of(house, address) for address in addresses}
    assert {address: status for address, status in answers.items() if status not in (200, 400)} == {}
    assert set(answers.values()) == {200, 400}


async def test_no_id_is_ever_a_fault_of_the_server(house: Http) -> None:
    ids = examples_of(IDS, 100)
    answers = {each: await status_of(house, f"api/v1/devices/{each}") for each in ids if each}
    assert set(answers.values()) == {404}, answers
